"""What happens to the gateway while its clients count: reloads, certificates, restarts, signals."""

import asyncio
import contextlib
import hashlib
import signal
import socket
import ssl
import time

from http2 import call_over_http2, context_for
from lab import Failure, get, wait_until
from streams import World, ask_for_streams, call, intrude, listen, listen_legacy
from wire import Client

LISTENING, LEGACY, ANSWERING, HTTP2 = 40, 16, 8, 4
# What must be 0 whatever happens.
ALWAYS = ("lost", "duplicated", "crossed", "mixed", "5xx", "other answers", "answers cut that seem whole")
# What must be 0 where nobody excused it.
UNEXCUSED = (
    "streams ended",
    "streams refused",
    "answers cut",
    "answers refused",
    "messages refused",
    "calls not answered",
)


class Clients:
    """All clients, in the tasks of one world."""

    def __init__(self, gateway, authority):
        self.gateway = gateway
        context = ssl.create_default_context(cafile=authority)
        context.set_alpn_protocols(["http/1.1"])
        self.context, self.http2 = context, context_for(authority)
        self.world = World(Client(gateway.port, context))
        self.tasks = []

    def start(self):
        world, who = self.world, ("ada", "grace")
        for number in range(LISTENING):
            self.spawn(listen(world, who[number % 2], f"listening-{number}"))
        for number in range(LEGACY):
            self.spawn(listen_legacy(world, who[number % 2], f"legacy-{number}"))
        for number in range(ANSWERING):
            self.spawn(ask_for_streams(world, who[number % 2], f"answering-{number}"))
        for principal in ("even", "odd"):
            for keeps in (True, False):
                self.spawn(call(world, principal, "/generation", keeps))
        for keeps in (True, False):
            self.spawn(call(world, "ada", "/calls", keeps))
        for number in range(HTTP2):
            self.spawn(call_over_http2(world, who[number % 2], "/calls", self.http2))
        self.spawn(intrude(world))

    def spawn(self, work):
        self.tasks.append(asyncio.create_task(work))

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        for result in await asyncio.gather(*self.tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise Failure(f"a client failed: {result!r}") from result

    async def all_open(self, what):
        """Waits until every stream is open and was given events."""
        for task in self.tasks:
            if task.done():
                await task
        deadline = time.monotonic() + 30
        while (self.world.open["listening"], self.world.open["legacy"]) != (LISTENING, LEGACY):
            if time.monotonic() > deadline:
                raise Failure(f"{what}: only {dict(self.world.open)} streams are open; {self.world.problems}")
            await asyncio.sleep(0.05)
        before = self.world.counts["events"]
        while self.world.counts["events"] < before + LISTENING + LEGACY:
            if time.monotonic() > deadline:
                raise Failure(f"{what}: no events")
            await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def excused(self, *what):
        """Somebody is being restarted; over when all streams are open again."""
        self.world.excused |= set(what)
        yield
        await self.all_open("after a restart")
        await asyncio.sleep(1)
        self.world.excused -= set(what)

    def judge(self, tally, phase):
        """What must be 0 is; and begins again at 0."""
        counts, self.world.counts = self.world.counts, type(self.world.counts)()
        tally.least(f"{phase}: events seen", counts["events"], LISTENING)
        tally.least(f"{phase}: calls", counts["calls"], 1)
        tally.least(f"{phase}: calls over HTTP/2", counts["calls over HTTP/2"], 1)
        for what in (*ALWAYS, *UNEXCUSED):
            if counts[what] or what in ("lost", "duplicated", "crossed", "mixed", "5xx"):
                tally.expect(f"{phase}: {what}", counts[what])
        for problem in self.world.problems:
            tally.note(problem)
        self.world.problems.clear()
        return counts


async def reloads(tally, clients, count):
    """Reloads under load: by signal, by the files alone, with secrets that rotate, with bad files.

    S05, as far as a run is long: what memory is gained is printed, and made into a line.
    """
    gateway, usages, begun = clients.gateway, [], time.monotonic()
    durations, refused_before = [], gateway.outcomes("rejected")
    applied_before, refused = gateway.applied(), 0
    for number in range(count):
        if number == count // 10:
            first = gateway.usage()
        if number % 20 == 5:
            gateway.rotate_secret()
        if number % 25 == 12:
            half = gateway.configuration()[:-200] + "routes: ["
            await asyncio.to_thread(gateway.refuse, half)
            refused += 1
        gateway.generation += 1
        started = time.monotonic()
        by_signal = number % 20 != 19
        await asyncio.to_thread(gateway.reload, by_signal)
        if by_signal:
            durations.append(time.monotonic() - started)
        usages.append((time.monotonic() - begun, gateway.usage()[0]))
        await asyncio.sleep(0.05)
    last = gateway.usage()
    tally.expect("reloads: applied", int(gateway.applied() - applied_before), count)
    tally.expect("reloads: refused", int(gateway.outcomes("rejected") - refused_before), refused)
    counts = clients.judge(tally, "reloads")
    tally.least("reloads: requests let in by one generation", counts["let in"], 10)
    tally.least("reloads: requests kept out by one generation", counts["kept out"], 10)
    tally.least("reloads: sessions tried by others", counts["intrusions"], 1)
    tally.least("reloads: answers on streams", counts["answers on streams"], 1)
    durations.sort()
    tally.figure("reload to in force, median and worst", f"{durations[len(durations) // 2]:.3f} s, {durations[-1]:.3f} s")
    for what, before, after in zip(("resident MiB", "descriptors", "threads"), first, last, strict=True):
        tally.figure(f"{what} after a tenth of the reloads, and after all", f"{before:.1f}, {after:.1f}")
    rest = usages[len(usages) // 10 :]
    tally.figure("resident MiB gained per 100 reloads", f"{slope([(at, mib) for at, (_, mib) in enumerate(rest)]) * 100:+.2f}")


def slope(points):
    """Of a line through points, by least squares."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    across = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / across if across else 0.0


def shown_certificate(gateway, context):
    """A digest of the certificate that a new connection is shown."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            return hashlib.sha256(secure.getpeercert(binary_form=True)).hexdigest()


async def certificates(tally, clients, make, count):
    """New certificates, and pairs that do not fit: the old goes on then."""
    gateway, context, seen = clients.gateway, clients.context, []
    shown = shown_certificate(gateway, context)

    def put(certificate, key):
        gateway.put_certificate(certificate, key)
        expected = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
        started = time.monotonic()
        wait_until("a new certificate", lambda: shown_certificate(gateway, context) == expected, gateway.process)
        seen.append(time.monotonic() - started)
        return expected

    refused, changed = 0, 'gatehouse_tls_reloads_total{outcome="changed"}'
    counted = gateway.metric(changed)
    for _ in range(count):
        certificate, key = await asyncio.to_thread(make)
        other, _ = await asyncio.to_thread(make)
        # A certificate whose key has not come yet.
        before = gateway.metric('gatehouse_tls_reloads_total{outcome="mismatch"}')
        gateway.put_certificate(other, key)
        said = lambda before=before: gateway.metric('gatehouse_tls_reloads_total{outcome="mismatch"}') > before
        await asyncio.to_thread(wait_until, "a mismatch", said, gateway.process)
        refused += shown_certificate(gateway, context) == shown
        shown = await asyncio.to_thread(put, certificate, key)
    tally.expect("certificates: put in force", len(seen), count)
    tally.expect("certificates: counted as changed", int(gateway.metric(changed) - counted), count)
    tally.expect("certificates: pairs that do not fit, and the old went on", refused, count)
    clients.judge(tally, "certificates")
    tally.figure("certificate to in force, worst", f"{max(seen):.1f} s")


async def upstream_restarts(tally, clients, count):
    """The upstream is killed and comes back: streams resume where they were."""
    for number in range(count):
        async with clients.excused("streams", "answers", "messages"):
            await asyncio.to_thread(clients.gateway.parties.restart_upstream, 0.2 * number)
    tally.expect("upstream: restarts", count, count)
    clients.judge(tally, "upstream")


async def pauses(tally, clients, count):
    """The gateway is stopped for a while and goes on."""
    for _ in range(count):
        clients.gateway.signal(signal.SIGSTOP)
        await asyncio.sleep(2)
        clients.gateway.signal(signal.SIGCONT)
        await clients.all_open("after a pause")
    clients.judge(tally, "pauses")


async def gateway_restarts(tally, clients, count):
    """SIGTERM, SIGKILL, and SIGTERM twice: a new process goes on with the sessions of the old."""
    gateway, statuses, drained = clients.gateway, [], []
    for _ in range(count):
        # Answers that have begun are finished.
        async with clients.excused("streams", "refused", "messages"):
            ready = asyncio.create_task(asyncio.to_thread(readiness, gateway))
            status, seconds = await asyncio.to_thread(gateway.terminate)
            statuses.append(status)
            drained.append(seconds)
            said = await ready
            await asyncio.to_thread(gateway.start)
        tally.expect("SIGTERM: readiness while draining", said, 503)
        async with clients.excused("streams", "refused", "answers", "messages"):
            gateway.process.kill()
            await asyncio.to_thread(gateway.process.wait, 5)
            await asyncio.to_thread(gateway.start)
        async with clients.excused("streams", "refused", "answers", "messages"):
            gateway.signal(signal.SIGTERM)
            await asyncio.sleep(0.05)
            begun = time.monotonic()
            gateway.signal(signal.SIGTERM)
            tally.expect("SIGTERM twice: status", await asyncio.to_thread(gateway.process.wait, 15), 1)
            tally.figure("SIGTERM twice: ended after", f"{time.monotonic() - begun:.2f} s")
            await asyncio.to_thread(gateway.start)
    tally.expect("SIGTERM: statuses other than 0", sum(status != 0 for status in statuses))
    clients.judge(tally, "gateway")
    tally.figure("SIGTERM: drained in", ", ".join(f"{seconds:.1f} s" for seconds in drained))


def readiness(gateway):
    """What /readyz says first when it is not 200 any more."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        status = get(gateway.admin, "/readyz", timeout=2)[0]
        if status != 200:
            return status
    return 200
