"""A gateway that has refused all kinds of requests, between an authorization server and an MCP server
of a few lines each. Everything listens on loopback, on ports that were free."""

import http.client
import http.server
import json
import pathlib
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

# What somebody might hope that the page takes for markup.
INJECTION = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>"

CONFIGURATION = """\
public_url: http://127.0.0.1:{port}
listen: {{address: "127.0.0.1:{port}"}}
admin: {{address: "127.0.0.1:{admin}"}}
telemetry: {{audit: {{file: audit.jsonl}}}}
authorization_servers:
  corp:
    issuer: http://127.0.0.1:{server}/realms/staff
    client: {{id: gatehouse, secret: status-page-secret-canary}}
    metadata:
      introspection_endpoint: http://127.0.0.1:{server}/introspect?key=status-page-query-canary
  partner:
    issuer: http://127.0.0.1:{server}
    access_tokens: jwt
    metadata: {{jwks_uri: "http://127.0.0.1:{server}/jwks"}}
routes:
  notes:
    path: /notes
    upstream: http://127.0.0.1:{upstream}/mcp
    authorization_servers: [corp]
    required_scopes: [notes.read]
    tools:
      delete_note: [notes.write]
      "admin_*": {{deny: true}}
  calendar:
    path: /calendar
    upstream: {{urls: ["http://127.0.0.1:{closed}/mcp"], connect_timeout: 1s}}
    authorization_servers: [corp, partner]
    required_scopes: [calendar.read]
  tasks:
    path: /tasks
    upstream: http://127.0.0.1:{upstream}/mcp
    authorization_servers: [corp]
    shadow: true
    required_scopes: [tasks.read, tasks.write]
  open-documentation-of-a-team-with-a-long-name:
    path: /documentation/of/a/team/with/a/long/name
    upstream: http://127.0.0.1:{upstream}/mcp
    access: public
"""

KEY = {
    "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Parties(http.server.BaseHTTPRequestHandler):
    """The authorization server and the MCP server."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/introspect"):
            token = urllib.parse.parse_qs(body.decode())["token"][0]
            return self.answer(self.server.tokens.get(token, {"active": False}))
        asked = json.loads(body)
        return self.answer({"jsonrpc": "2.0", "id": asked.get("id"), "result": {}})

    def do_GET(self):
        self.answer({"keys": [{**KEY, "kid": f"partner-2026-{n}"} for n in (1, 2)]})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class World:
    """The gateway and whoever it speaks to."""

    def __init__(self, binary):
        self.binary = binary

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="gatehouse-status-")
        self.parties = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Parties)
        self.parties.daemon_threads = True
        self.parties.tokens = {}
        threading.Thread(target=self.parties.serve_forever, daemon=True).start()
        self.port, self.admin = free_port(), free_port()
        there = self.parties.server_address[1]
        self.text = CONFIGURATION.format(
            port=self.port, admin=self.admin, server=there, upstream=there, closed=free_port()
        )
        self.file = pathlib.Path(self.folder.name, "gatehouse.yaml")
        self.file.write_text(self.text)
        self.log = open(pathlib.Path(self.folder.name, "log"), "wb")
        self.process = subprocess.Popen(
            [self.binary, "serve", "-c", self.file], stdout=self.log, stderr=self.log
        )
        self.until(lambda: self.operate("/readyz")[0] == 200, "it is ready")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=40)
        self.log.close()
        self.parties.shutdown()
        self.folder.cleanup()

    def until(self, is_so, what):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if is_so():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise TimeoutError(f"{what}: not within 30 s\n{self.logged()}")

    def logged(self):
        return pathlib.Path(self.folder.name, "log").read_text()

    def operate(self, path, **headers):
        """Asks the operators' listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10)
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode(), response

    def call(self, path, token=None, method="tools/call", tool="list_notes", host=None):
        """Makes a call, and returns its status and request id."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": tool}}
        headers = {"Content-Type": "application/json", "Host": host or f"127.0.0.1:{self.port}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", path, json.dumps(asked), headers)
        response = connection.getresponse()
        response.read()
        return response.status, response.headers["X-Request-Id"]

    def token(self, name, path, scope, subject="alice", client="desktop-client", **claims):
        claims = {"sub": subject, "client_id": client, **claims}
        resource = f"http://127.0.0.1:{self.port}{path}"
        known = {"active": True, "scope": scope, "aud": resource, "exp": 9999999999}
        self.parties.tokens[name] = {**known, **claims}
        return name

    def provoke(self):
        """All kinds of refusals; returns the request ids of those that are looked up."""
        reader = self.token("token-canary-1", "/notes", "notes.read")
        writer = self.token("token-canary-2", "/notes", "notes.read notes.write", subject="bob")
        expired = self.token("token-canary-3", "/notes", "notes.read", exp=1)
        foreign = self.token("token-canary-4", "/elsewhere", "notes.read", aud="account")
        planner = self.token("token-canary-5", "/calendar", "calendar.read")
        tasks = self.token("token-canary-6", "/tasks", "tasks.read")
        odd = self.token("token-canary-7", "/notes", "none", subject=INJECTION, client=INJECTION)
        made = [
            (200, self.call("/notes", reader)),
            (200, self.call("/notes", writer, tool="delete_note")),
            (200, self.call("/tasks", tasks)),
            (200, self.call("/documentation/of/a/team/with/a/long/name")),
            (401, self.call("/notes")),
            (401, self.call("/notes", "token-canary-unknown")),
            (401, self.call("/notes", expired)),
            (401, self.call("/notes", foreign)),
            (404, self.call("/nowhere")),
            (421, self.call("/notes", reader, host="elsewhere.example")),
            (502, self.call("/calendar", planner)),
            (200, self.call("/notes", reader, tool="admin_reset")),
            (403, self.call("/notes", odd, tool=INJECTION)),
            (403, self.call("/notes", reader, tool="delete_note")),
        ]
        for status, (found, request_id) in made:
            assert found == status, f"{found} where {status} was expected: {request_id}"
        return {"injection": made[-2][1][1], "scope": made[-1][1][1]}
