#!/usr/bin/env python3
"""CPU per request of the gateway, of nginx as a plain proxy, and of nginx with auth_request.

The gateway is measured with opaque tokens that it introspected and with JWTs that it verified, both
remembered, and on a route with rules.

    benches/proxy.py [--rounds 5] [--seconds 3] [--gateway target/release/gatehouse]

Needs nginx, wrk and openssl. Upstream and load generator run on CPU 0, each proxy with one worker on CPU 1;
64 keep-alive connections POST a small JSON-RPC call with a bearer token. All peers are up at once
and take turns, round by round. Printed, per peer: CPU time of its whole process tree per 10,000
requests, requests per second, p99 latency, and the ratio to nginx plain, taken round by round
(median, least and greatest). It asserts nothing.
"""

import argparse
import base64
import http.server
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOKENS = {"opaque, 42 B": "o" * 42, "long, 891 B": "l" * 891}
RULES = """required_scopes: [notes.read], tools: {"admin_*": [notes.admin], write_note: [notes.write]}"""
CONNECTIONS = 64
CALL = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "list_notes", "arguments": {"folder": "inbox", "limit": 20, "q": "x" * 60}},
    }
)
RESULT = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {"content": [{"type": "text", "text": "n" * 220}], "isError": False},
    }
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """An RSA key of openssl's, and tokens signed with it."""

    def __init__(self, folder):
        self.key = folder / "key.pem"
        self.run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(self.key))

    @staticmethod
    def run(*arguments, data=None):
        done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True)
        return done.stdout

    def key_set(self):
        modulus = self.run("rsa", "-in", str(self.key), "-noout", "-modulus").decode().strip()
        number = base64url(bytes.fromhex(modulus.partition("=")[2]))
        return {"keys": [{"kty": "RSA", "kid": "bench", "alg": "RS256", "n": number, "e": "AQAB"}]}

    def token(self, claims, length):
        """A token of this many characters, or the few more that base64 makes of it."""
        for padding in range(length):
            header = json.dumps({"alg": "RS256", "kid": "bench", "typ": "at+jwt"}).encode()
            body = json.dumps({**claims, "pad": "p" * padding}).encode()
            signed = f"{base64url(header)}.{base64url(body)}"
            if len(signed) + 343 >= length:
                signature = self.run("dgst", "-sha256", "-sign", str(self.key), data=signed.encode())
                return f"{signed}.{base64url(signature)}"
        raise SystemExit("no token of that length")


class AuthorizationServer(http.server.BaseHTTPRequestHandler):
    """Metadata, and "active" for every token."""

    def do_GET(self):
        origin = f"http://127.0.0.1:{self.server.server_port}"
        if self.path == "/keys":
            return self.reply(self.server.signer.key_set())
        self.reply(
            {
                "issuer": origin,
                "introspection_endpoint": f"{origin}/introspect",
                "jwks_uri": f"{origin}/keys",
            }
        )

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        audience = self.server.audience
        self.reply(
            {
                "active": True,
                "scope": "notes.read",
                "sub": "alice",
                "client_id": "bench",
                "aud": audience,
                "exp": int(time.time()) + 3600,
            }
        )

    def reply(self, document):
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def nginx(folder, name, server, http_part=""):
    """Starts nginx with one worker; returns its process."""
    prefix = folder / name
    prefix.mkdir()
    # As root, workers would become somebody who may not write here.
    user = "user root;" if os.geteuid() == 0 else ""
    (prefix / "nginx.conf").write_text(
        f"""{user} daemon off; worker_processes 1; error_log {prefix}/error.log; pid {prefix}/pid;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {prefix}/b;
  proxy_temp_path {prefix}/p; fastcgi_temp_path {prefix}/f; uwsgi_temp_path {prefix}/u;
  scgi_temp_path {prefix}/s; {http_part} {server} }}"""
    )
    return ["nginx", "-p", str(prefix), "-c", str(prefix / "nginx.conf")]


def start(command, cpu, **options):
    return subprocess.Popen(
        ["taskset", "-c", str(cpu), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )


def await_port(port):
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def tree(pid):
    """A process and its descendants."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
    return [pid] + [each for child in children.split() for each in tree(int(child))]


def cpu_seconds(pid):
    ticks = 0
    for each in tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def load(port, token, seconds, folder):
    script = folder / "call.lua"
    script.write_text(
        f"""wrk.method = "POST"
wrk.body = {json.dumps(CALL)}
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["Authorization"] = "Bearer {token}"
"""
    )
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script)]
    done = subprocess.run(
        ["taskset", "-c", "0", *command, f"http://127.0.0.1:{port}/notes"],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=True,
    )
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"port {port} answered with errors:\n{done.stdout}")
    requests = int(re.search(r"(\d+) requests in", done.stdout)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    p99 = float(p99[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[p99[2]]
    return requests, rate, p99


def measure(name, port, pid, token, seconds, folder):
    before = cpu_seconds(pid)
    requests, rate, p99 = load(port, token, seconds, folder)
    return {"cpu": (cpu_seconds(pid) - before) / requests * 1e4, "rate": rate, "p99": p99}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=3)
    options.add_argument("--gateway", type=Path, default=ROOT / "target/release/gatehouse")
    options.add_argument("--access-log", action="store_true", help="let the gateway log each request")
    options = options.parse_args()
    for tool in ("nginx", "wrk", "taskset"):
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is not installed")
    os.sched_setaffinity(0, {0})
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    upstream, plain, auth = (free_port() for _ in range(3))
    gateways = {"gatehouse": "", "gatehouse, JWT": "access_tokens: jwt", "gatehouse, rules": ""}
    ports = {name: free_port() for name in gateways}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), AuthorizationServer)
    server.audience = "http://127.0.0.1/notes"
    server.signer = Signer(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    issuer = f"http://127.0.0.1:{server.server_port}"
    for name, kind in gateways.items():
        how = kind or """client: {id: gatehouse, secret: bench}
    introspection: {cache: {ttl: 1h}}"""
        demands = RULES if "rules" in name else "required_scopes: [notes.read]"
        (folder / f"{name}.yaml").write_text(
            f"""public_url: http://127.0.0.1:{ports[name]}
listen: {{address: "127.0.0.1:{ports[name]}"}}
admin: {{address: "127.0.0.1:{free_port()}"}}
telemetry: {{access_log: {str(options.access_log).lower()}}}
authorization_servers:
  bench:
    issuer: {issuer}
    {how}
routes:
  notes: {{path: /notes, upstream: "http://127.0.0.1:{upstream}/mcp", audiences: ["{server.audience}"], {demands}}}
"""
        )
    proxied = f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 128; }}"
    headers = 'proxy_http_version 1.1; proxy_set_header Connection "";'
    subrequest = f"""location = /auth {{ internal; proxy_pass http://127.0.0.1:{upstream}/auth;
      proxy_pass_request_body off; proxy_set_header Content-Length ""; {headers}
      proxy_cache tokens; proxy_cache_key $http_authorization; proxy_cache_valid 200 1h;
      proxy_ignore_headers Cache-Control Expires Set-Cookie; }}"""
    peers = {
        "upstream itself": (
            upstream,
            nginx(
                folder,
                "upstream",
                f"""server {{ listen 127.0.0.1:{upstream}; default_type application/json;
                location = /auth {{ return 200 ok; }} location / {{ return 200 '{RESULT}'; }} }}""",
            ),
            0,
        ),
        "nginx plain": (
            plain,
            nginx(
                folder,
                "plain",
                f"""server {{ listen 127.0.0.1:{plain}; location / {{ proxy_pass http://up/mcp; {headers} }} }}""",
                proxied,
            ),
            1,
        ),
        "nginx auth_request": (
            auth,
            nginx(
                folder,
                "auth",
                f"""server {{ listen 127.0.0.1:{auth}; {subrequest}
                location / {{ auth_request /auth; proxy_pass http://up/mcp; {headers} }} }}""",
                f"proxy_cache_path {folder}/cache keys_zone=tokens:10m; {proxied}",
            ),
            1,
        ),
    }
    for name, port in ports.items():
        command = [str(options.gateway), "serve", "-c", str(folder / f"{name}.yaml")]
        peers[name] = (port, command, 1)
    processes = {}
    try:
        for name, (port, command, cpu) in peers.items():
            processes[name] = start(command, cpu)
            await_port(port)
        time.sleep(0.5)
        claims = {"iss": issuer, "aud": server.audience, "scope": "notes.read", "sub": "alice"}
        claims |= {"client_id": "bench", "iat": int(time.time()), "exp": int(time.time()) + 7200}
        for kind, token in TOKENS.items():
            # The same length for all, as far as a signature fits in.
            tokens = {"gatehouse, JWT": server.signer.token(claims, len(token))}
            rows = {name: [] for name in peers}
            for round_number in range(options.rounds + 1):
                for name, (port, _, _) in peers.items():
                    seconds = options.seconds if round_number else 1
                    pid, shown = processes[name].pid, tokens.get(name, token)
                    row = measure(name, port, pid, shown, seconds, folder)
                    if round_number:
                        rows[name].append(row)
            report(kind, rows)
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(timeout=40)
        server.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def report(kind, rows):
    print(f"\ntoken: {kind}")
    print(f"{'peer':20} {'CPU s/10k':>10} {'req/s':>8} {'p99 us':>8}   CPU x nginx plain [range]")
    for name, measured in rows.items():
        middle = {key: statistics.median(row[key] for row in measured) for key in measured[0]}
        ratios = [row["cpu"] / base["cpu"] for row, base in zip(measured, rows["nginx plain"])]
        print(
            f"{name:20} {middle['cpu']:10.3f} {middle['rate']:8.0f} {middle['p99']:8.0f}   "
            f"{statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"
        )


if __name__ == "__main__":
    main()
