#!/usr/bin/env python3
"""Runs the gateway with a bit of everything and keeps what it says of itself: traffic.py BINARY OUT

Starts an authorization server and an MCP server of a few lines and, between them, the gateway with TLS;
sends requests of every outcome, changes the configuration for better and worse, then writes the answer of
/metrics to OUT. All on loopback, on free ports; ends what it started.
"""

import http.client
import http.server
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HOST = "mcp.example.com"
CONFIGURATION = """\
public_url: https://{host}
listen:
  address: 127.0.0.1:0
  tls: {{certificate: {work}/tls.crt, private_key: {work}/tls.key}}
admin: {{address: "127.0.0.1:0"}}
authorization_servers:
  corp:
    issuer: http://127.0.0.1:{port}
    access_tokens: auto
    metadata:
      introspection_endpoint: http://127.0.0.1:{port}/introspect
      jwks_uri: http://127.0.0.1:{port}/keys
    client: {{authentication: none}}
routes:
  notes: {{path: /notes, upstream: "http://127.0.0.1:{port}/mcp", required_scopes: [{scope}]}}
  trial: {{path: /trial, upstream: "http://127.0.0.1:{port}/mcp", required_scopes: [trial], shadow: true}}
  gone: {{path: /gone, upstream: "http://127.0.0.1:1/mcp", required_scopes: []}}
"""
CALL = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()


class Counterparts(http.server.BaseHTTPRequestHandler):
    """Knows the tokens `good-ROUTE` and `poor`, has no keys, and answers every call with one event."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a head and its body in one packet

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer("application/json", b'{"keys": []}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/mcp":
            return self.answer("text/event-stream", b'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n')
        token = body.partition("token=")[2].partition("&")[0]
        word, _, route = token.partition("-")
        inactive = {"active": False}
        known = {"active": True, "sub": "alice", "aud": f"https://{HOST}/{route}", "exp": time.time() + 600}
        scopes = {"good": "notes.read", "poor": "other"}
        state = {**known, "scope": scopes[word]} if word in scopes else inactive
        return self.answer("application/json", json.dumps(state).encode())

    def log_message(self, *_):
        pass


class Gateway:
    """The binary with a configuration; knows both of its addresses from its log."""

    def __init__(self, binary, work, port):
        self.file, self.values = work / "gatehouse.yaml", {"work": work, "port": port, "host": HOST}
        self.write("notes.read")
        with (work / "log").open("w") as log:
            self.process = subprocess.Popen([binary, "serve", "-c", str(self.file)], stderr=log, stdout=log)
        self.log = work / "log"
        said = self.eventually(lambda: self.said("serving"))
        self.listen, self.admin = (said[name].rpartition(":")[2] for name in ("listen", "admin"))
        self.trust = ssl.create_default_context(cafile=str(work / "tls.crt"))

    def write(self, scope):
        self.file.write_text(CONFIGURATION.format(scope=scope, **self.values))

    def said(self, message):
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return next((line for line in lines if message in line.get("message", "")), None)

    def eventually(self, what):
        for _ in range(300):
            if self.process.poll() is not None:
                raise SystemExit(f"the gateway ended:\n{self.log.read_text()}")
            if found := what():
                return found
            time.sleep(0.05)
        raise SystemExit(f"waited in vain; the log:\n{self.log.read_text()}")

    def call(self, path, token=None):
        connection = http.client.HTTPSConnection("localhost", self.listen, context=self.trust, timeout=10)
        headers = {"Host": HOST, "Content-Type": "application/json", "Accept": "text/event-stream"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request("POST", path, CALL, headers)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status

    def metrics(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10)
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()

    def reload(self, message):
        self.process.send_signal(signal.SIGHUP)
        self.eventually(lambda: self.said(message))


def expect(got, wanted, what):
    if got != wanted:
        raise SystemExit(f"{what}: {got} instead of {wanted}")


def drive(gateway):
    jwt = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IngifQ.e30.AAAA"
    for path, token, status in [
        ("/notes", None, 401), ("/notes", "good-notes", 200), ("/notes", "good-notes", 200),
        ("/notes", "poor-notes", 403), ("/notes", "good-gone", 401), ("/notes", "unknown", 401),
        ("/notes", "unknown", 401), ("/notes", jwt, 401), ("/trial", "good-trial", 200),
        ("/gone", "good-gone", 502), ("/nowhere", None, 404),
    ]:
        expect(gateway.call(path, token), status, f"{path} with {token}")
    plain = http.client.HTTPConnection("127.0.0.1", gateway.listen, timeout=10)
    plain.request("GET", "/")
    plain.getresponse().read()
    gateway.write("notes.write")
    gateway.reload("configuration reloaded")
    gateway.file.write_text("routes: {}\n")
    gateway.reload("configuration refused")
    (gateway.values["work"] / "tls.crt").write_text("no certificate")
    gateway.eventually(lambda: "gatehouse_tls_reloads_total{" in gateway.metrics())


def main():
    binary, out = sys.argv[1:]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counterparts)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        names = f"subjectAltName=DNS:{HOST},DNS:localhost"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", work / "tls.key", "-out", work / "tls.crt", "-days", "1", "-subj", "/CN=x",
                        "-addext", names], check=True, capture_output=True)
        os.chmod(work / "tls.key", 0o600)
        gateway = Gateway(binary, work, server.server_address[1])
        try:
            drive(gateway)
            Path(out).write_text(gateway.metrics())
        finally:
            gateway.process.terminate()
            expect(gateway.process.wait(20), 0, "exit status after SIGTERM")


main()
