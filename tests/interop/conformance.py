"""Runs the official conformance suite and says what each of its checks came to.

A run is a multiset of (scenario, check, status): two runs are equal when every check of every
scenario came to the same result as often. The suite's exit status alone would hide a lost header.
"""

import json
import re
import shutil
import subprocess
from collections import Counter

from harness import HERE, NODE, WORK, Failure, expect
from usage import note

SUITE = HERE / "node_modules/@modelcontextprotocol/conformance"


def run_suite(name, url, revision):
    """The results of all scenarios that `revision` lists, run against `url`."""
    note("suite", "conformance")
    note("revision", revision)
    results = WORK / "conformance" / f"{name}-{revision}"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    command = [NODE, SUITE / "dist/index.js", "server", "--url", url, "--requirements", revision, "-o", results]
    with (results / "output.log").open("wb") as log:
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=90, check=False)
        except subprocess.TimeoutExpired:
            raise Failure(f"the suite did not end within 90 s; see {results}") from None
    checks = Counter()
    for directory in results.glob("server-*"):
        scenario = re.fullmatch(r"server-(.+?)-\d{4}-\d\d-\d\dT.*", directory.name).group(1)
        written = directory / "checks.json"
        if not written.is_file():
            # The scenario broke off; the suite notes that only on its standard output.
            checks[scenario, "(broke off)", "FAILURE"] += 1
            continue
        for check in json.loads(written.read_text()):
            checks[scenario, check["id"], check["status"]] += 1
    expect(checks, f"the suite reported nothing; see {results}")
    return checks


def required_scenarios(revision):
    """The scenarios a server must pass, from the suite's own frozen list."""
    listed = (SUITE / "requirements" / f"{revision}.yaml").read_text()
    section = re.search(r"^server:\n((?:  - .*\n|\s*#.*\n|\n)+)", listed, re.MULTILINE)
    expect(section is not None, f"the suite has no list of requirements for {revision}")
    return re.findall(r"^  - (\S+)", section.group(1), re.MULTILINE)


def failed_requirements(checks, revision):
    """The required scenarios that did not run or had a failed check."""
    ran = {scenario for scenario, _, _ in checks}
    failed = {scenario for scenario, _, status in checks if status == "FAILURE"}
    return [name for name in required_scenarios(revision) if name not in ran or name in failed]


def differences(direct, other):
    """Every check that two runs disagree about, in words."""
    keys = sorted(set(direct) | set(other))
    return [
        f"{scenario}: {check} {status} {direct[scenario, check, status]} -> {other[scenario, check, status]}"
        for scenario, check, status in keys
        if direct[scenario, check, status] != other[scenario, check, status]
    ]
