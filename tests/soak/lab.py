"""What the soak stands on: processes, ports, certificates, a memory limit, and the tally of counts.

Only processes started here are ended, each by its own handle, also after a failure or an interrupt.
"""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Failure(Exception):
    """The soak could not go on."""


class Tally:
    """Counts that must be right, and figures that are only shown."""

    def __init__(self):
        self.counts = []

    def expect(self, name, got, wanted=0):
        """A count that has to have one value, or to be in a range."""
        good = got in wanted if isinstance(wanted, range) else got == wanted
        self.counts.append(good)
        shown = f"{wanted.start} or more" if isinstance(wanted, range) else wanted
        print(f"  {'ok    ' if good else 'FAILED'} {name}: {got}" + ("" if good else f", not {shown}"), flush=True)

    def least(self, name, got, wanted):
        """A count that shows that something happened at all."""
        self.expect(name, got, range(wanted, sys.maxsize))

    @staticmethod
    def figure(name, value):
        print(f"  figure {name}: {value}", flush=True)

    @staticmethod
    def note(text):
        print(f"         {text}", flush=True)

    def passed(self):
        return bool(self.counts) and all(self.counts)


class Lab:
    """Starts processes in a folder of their own, and ends those it started."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="gatehouse-soak-"))
        self.processes = []
        self.groups = []

    def start(self, name, command, group=None):
        command = [str(word) for word in command]
        if group is not None:
            # The shell puts itself into the group before it becomes the process.
            command = ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group / "cgroup.procs"), *command]
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process

    def python(self, name, script, *arguments):
        return self.start(name, [sys.executable, "-B", HERE / script, *arguments])

    def end(self, process, patience=5):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=patience)
        if process in self.processes:
            self.processes.remove(process)

    def kill(self, process):
        process.kill()
        process.wait(timeout=5)
        self.processes.remove(process)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end_all(self, keep):
        for process in list(self.processes):
            self.end(process)
        for group in self.groups:
            remove_group(group)
        if keep:
            print(f"logs are in {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def memory_limit(self, limit):
        """A control group with this limit, under our own; None where none can be made."""
        for parent, key in memory_groups():
            group = parent / f"gatehouse-soak-{os.getpid()}"
            try:
                group.mkdir()
                self.groups.append(group)
                (group / key).write_text(str(limit))
            except OSError:
                continue
            if (group / "cgroup.procs").is_file():
                return group
        return None


def memory_groups():
    """Our own memory control group: of version 2, and of version 1."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        path = path.lstrip("/")
        if number == "0":
            for root in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
                subtree = root / path / "cgroup.subtree_control"
                if subtree.is_file() and "memory" in subtree.read_text():
                    yield root / path, "memory.max"
        elif "memory" in controllers.split(","):
            yield Path("/sys/fs/cgroup/memory") / path, "memory.limit_in_bytes"


def remove_group(group):
    """It is empty a moment after its last process was waited for."""
    for _ in range(50):
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
    print(f"  the control group {group.name} could not be removed", flush=True)


def kills_in(group):
    """How often the kernel killed for want of memory in a group."""
    for name in ("memory.events", "memory.oom_control"):
        file = group / name
        if file.is_file():
            for line in file.read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def peak_in(group):
    """The most memory a group ever used, in bytes."""
    for name in ("memory.peak", "memory.max_usage_in_bytes"):
        file = group / name
        if file.is_file():
            return int(file.read_text())
    return 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, is_so, process=None, timeout=30):
    """Waits until `is_so()`; a process that ends, or time that runs out, is a failure."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise Failure(f"{what}: the process ended with status {process.returncode}")
        if is_so():
            return
        time.sleep(0.02)
    raise Failure(f"{what}: not within {timeout} s")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def get(port, path, timeout=10):
    """Status and text of a plain GET; status 0 where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def swap(folder, name, files):
    """Puts files in place the way Kubernetes does: a new folder, then one symlink renamed over another.

    `folder/FILE` leads by `..data` to `..NAME/FILE`.
    """
    fresh = folder / f"..{name}"
    fresh.mkdir(parents=True)
    for file, text in files.items():
        (fresh / file).write_text(text)
        (fresh / file).chmod(0o600)
    data, temporary = folder / "..data", folder / "..data_tmp"
    before = data.readlink() if data.is_symlink() else None
    temporary.symlink_to(fresh.name)
    temporary.rename(data)
    for file in files:
        if not (folder / file).is_symlink():
            (folder / file).symlink_to(f"..data/{file}")
    if before is not None:
        shutil.rmtree(folder / before)


class Certificates:
    """An authority of our own, and certificates for 127.0.0.1 by it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.authority = folder / "ca.pem"
        self.made = 0
        self.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=soak", "-keyout", folder / "ca.key", "-out", self.authority,
            "-addext", "keyUsage=critical,keyCertSign", "-addext", "basicConstraints=critical,CA:TRUE",
        )  # fmt: skip

    def openssl(self, *arguments):
        subprocess.run(
            ["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30, cwd=self.folder
        )

    def make(self):
        """Another certificate and its key, as texts."""
        self.made += 1
        name = self.folder / f"server-{self.made}"
        key, request, certificate = (name.with_suffix(end) for end in (".key", ".csr", ".crt"))
        extensions = self.folder / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        self.openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request,
        )  # fmt: skip
        self.openssl(
            "x509", "-req", "-in", request, "-CA", self.authority, "-CAkey", self.folder / "ca.key",
            "-days", "1", "-set_serial", self.made, "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        return certificate.read_text(), key.read_text()
