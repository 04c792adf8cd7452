"""A gateway in 256 MiB while it is flooded: nobody kills it, and normal calls go on.

E04, E06, S06, S08 and S09: whatever the flood, memory stays below the limit and no normal call fails; the worst
of them is printed.
"""

import http.client
import json
import threading
import time

from gateway import Gateway, Parties
from lab import kills_in, peak_in
from streams import token

LIMIT = 256 << 20
# The kinds of flood.py, in its order.
KINDS = (
    "rapid_reset",
    "made_to_reset",
    "continuation",
    "compressed",
    "pings",
    "empty_data",
    "junk_tokens",
    "slow_uploads",
    "slow_uploads_with_rules",
    "slow_readers",
    "half_heads",
)


# Normal calls come from another address than the floods do.
ELSEWHERE = "127.0.0.2"


class Flooded(Gateway):
    """One route more, whose calls have to be read whole."""

    def configuration(self):
        rules = f"""
  rules:
    path: /rules
    upstream: http://127.0.0.1:{self.parties.steady}/mcp
    required_scopes: [events]
    tools: {{export: {{arguments: {{format: [csv]}}}}}}
"""
        return super().configuration() + rules


class NormalCalls(threading.Thread):
    """Somebody who knows nothing of the flood: calls, each on a connection of its own."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.is_over = port, threading.Event()
        self.answered, self.failed, self.worst, self.problems = 0, 0, 0.0, set()

    def run(self):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        fields = {"Authorization": f"Bearer {token('grace')}", "Content-Type": "application/json"}
        while not self.is_over.is_set():
            begun = time.monotonic()
            source = (ELSEWHERE, 0)
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=source)
            try:
                connection.request("POST", "/calls", body, fields)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.answered += 1
                else:
                    self.failed += 1
                    self.problems.add(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.failed += 1
                self.problems.add(repr(error))
            finally:
                connection.close()
            self.worst = max(self.worst, time.monotonic() - begun)
            time.sleep(0.02)


def floods(lab, tally, binary, seconds):
    """Every kind of flood, one after the other, against one gateway."""
    gateway = Flooded(lab, binary, "flooded")
    gateway.parties = Parties(lab, [gateway.origin])
    gateway.write()
    gateway.group = lab.memory_limit(LIMIT)
    if gateway.group is None:
        tally.note("no control group can be made here: the memory is watched, not limited")
    gateway.start()
    most = 0.0
    for kind in KINDS:
        calls = NormalCalls(gateway.port)
        calls.start()
        flood = lab.python(kind, "flood.py", kind, gateway.port, seconds)
        while flood.poll() is None:
            time.sleep(0.1)
            if gateway.process.poll() is None:
                most = max(most, gateway.usage()[0])
        calls.is_over.set()
        calls.join(timeout=15)
        lab.processes.remove(flood)
        if gateway.process.poll() is not None:
            tally.expect(f"{kind}: status of the gateway, which should live", gateway.process.returncode, None)
            break
        tally.expect(f"{kind}: normal calls that failed", calls.failed)
        tally.least(f"{kind}: normal calls answered", calls.answered, 1)
        for problem in sorted(calls.problems):
            tally.note(problem)
        said = lab.log(kind).strip()
        resident, descriptors, _ = gateway.usage()
        tally.figure(
            kind, f"worst call {calls.worst:.2f} s, then {resident:.0f} MiB, {descriptors} descriptors; flood: {said}"
        )
    if gateway.group is not None:
        tally.expect("floods: kills for want of memory", kills_in(gateway.group))
        tally.figure("most memory in the control group", f"{peak_in(gateway.group) / (1 << 20):.0f} MiB of 256")
    else:
        tally.expect("floods: more resident than 256 MiB", int(most > LIMIT >> 20))
    tally.figure("most resident", f"{most:.0f} MiB")
    if gateway.process.poll() is None:
        lab.end(gateway.process, patience=15)
        tally.expect("floods: status at the end", gateway.process.returncode, 0)
