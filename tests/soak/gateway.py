"""The gateway under test: its configuration in generations, its process, what it says of itself."""

import base64
import os
import signal
import time
from pathlib import Path

from lab import Failure, free_port, get, listens, swap, wait_until


class Parties:
    """The gateway's counterparts: who knows tokens, an upstream that restarts, one that does not."""

    def __init__(self, lab, origins):
        self.lab = lab
        self.authorization_server, self.upstream, self.steady = free_port(), free_port(), free_port()
        paths = ("/events", "/legacy", "/generation", "/calls", "/rules")
        resources = [origin + path for origin in origins for path in paths]
        self.serve("authorization_server", self.authorization_server, *resources)
        self.serve("steady", self.steady, script="upstream.py")
        self.process = self.serve("upstream", self.upstream)

    def serve(self, name, port, *arguments, script=None):
        process = self.lab.python(name, script or f"{name}.py", port, *arguments)
        wait_until(name, lambda: listens(port), process)
        return process

    def restart_upstream(self, pause):
        self.lab.kill(self.process)
        time.sleep(pause)
        self.process = self.serve("upstream", self.upstream)


class Gateway:
    """One configuration on fixed ports, in folders laid out as Kubernetes does; started many times."""

    def __init__(self, lab, binary, name, tls=None):
        self.lab, self.binary, self.name = lab, binary, name
        self.port, self.admin = free_port(), free_port()
        self.origin = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.folder = lab.folder / name
        self.session_key = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
        self.generation, self.writes, self.secrets, self.group = 0, 0, 0, None
        self.process, self.parties = None, None
        self.has_tls = tls is not None
        self.rotate_secret()
        if tls:
            self.put_certificate(*tls)

    def configuration(self):
        scope = "even" if self.generation % 2 == 0 else "odd"
        as_port, upstream, steady = self.parties.authorization_server, self.parties.upstream, self.parties.steady
        tls = "{certificate: tls/tls.crt, private_key: tls/tls.key}" if self.has_tls else "null"
        extra = f"""
  extra-{self.generation % 7}:
    path: /extra
    upstream: http://127.0.0.1:{steady}/mcp
    required_scopes: [events]
"""
        return f"""# generation {self.generation}
public_url: {self.origin}
listen:
  address: 127.0.0.1:{self.port}
  tls: {tls}
  limits: {{max_connections: {9000 + self.generation}}}
  drain_timeout: 10s
admin: {{address: 127.0.0.1:{self.admin}}}
authorization_servers:
  corp:
    issuer: http://127.0.0.1:{as_port}
    client: {{id: gatehouse, secret_file: secrets/introspection}}
sessions: {{keys: ["{self.session_key}"]}}
routes:
  events:
    path: /events
    upstream: http://127.0.0.1:{upstream}/mcp
    required_scopes: [events]
  legacy:
    path: /legacy
    upstream: http://127.0.0.1:{upstream}/sse
    required_scopes: [events]
  generation:
    path: /generation
    upstream: {{urls: [http://127.0.0.1:{steady}/mcp], headers: {{X-Generation: "{self.generation}"}}}}
    required_scopes: [{scope}]
  calls:
    path: /calls
    upstream: http://127.0.0.1:{steady}/mcp
    required_scopes: [events]
{extra if self.generation % 3 == 0 else ""}"""

    def put(self, folder, files):
        self.writes += 1
        swap(folder, str(self.writes), files)

    def write(self):
        """The configuration of this generation."""
        self.put(self.folder, {"gatehouse.yaml": self.configuration()})

    def rotate_secret(self):
        self.secrets += 1
        self.put(self.folder / "secrets", {"introspection": f"secret-{self.secrets}\n"})

    def put_certificate(self, certificate, key):
        self.put(self.folder / "tls", {"tls.crt": certificate, "tls.key": key})

    def start(self):
        # Relative paths of a configuration start at the folder of its file.
        command = [self.binary, "serve", "-c", self.folder / "gatehouse.yaml"]
        self.process = self.lab.start(self.name, command, self.group)
        wait_until("the gateway", self.is_ready, self.process)

    def is_ready(self):
        return get(self.admin, "/readyz", timeout=2)[0] == 200

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, by_signal=True):
        """Puts the configuration as it is now in force, and waits for that."""
        before = self.applied()
        self.write()
        if by_signal:
            self.signal(signal.SIGHUP)
        wait_until("a reload", lambda: self.applied() > before, self.process)

    def refuse(self, text):
        """Has a configuration read that must be refused, and waits for that."""
        before = self.outcomes("rejected")
        self.put(self.folder, {"gatehouse.yaml": text})
        self.signal(signal.SIGHUP)
        wait_until("a refusal", lambda: self.outcomes("rejected") > before, self.process)

    def outcomes(self, outcome):
        return self.metric(f'gatehouse_config_reloads_total{{outcome="{outcome}"}}')

    def applied(self):
        return self.outcomes("applied")

    def metric(self, start):
        """The sum of the series that begin like this."""
        lines = [line for line in get(self.admin, "/metrics")[1].splitlines() if line.startswith(start)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def terminate(self, patience=20):
        """SIGTERM, and for how long it drained."""
        begun = time.monotonic()
        self.signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=patience)
        except Exception as error:
            raise Failure(f"the gateway did not end within {patience} s of SIGTERM") from error
        return status, time.monotonic() - begun

    def usage(self):
        """Resident memory in MiB, descriptors, threads."""
        folder = Path(f"/proc/{self.process.pid}")
        lines = (folder / "status").read_text().splitlines()
        # One that was killed a moment ago has none.
        kilobytes = next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)
        return kilobytes / 1024, len(list((folder / "fd").iterdir())), len(list((folder / "task").iterdir()))
