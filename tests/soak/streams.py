"""The clients: streams whose events are counted one by one, and calls beside them.

Each stream knows which event must come next and whose events it must see; what is not so is counted
and never excused. Ends are excused while somebody is being restarted, no longer.
"""

import asyncio
import contextlib
import json
import ssl
from collections import Counter

from wire import Cut

BROKEN = (Cut, ConnectionError, OSError, ssl.SSLError, ValueError, IndexError)
SCOPES = "events"


class World:
    """What all clients share: the way to the gateway, what they counted, what is being restarted."""

    def __init__(self, client):
        self.client = client
        self.counts = Counter()
        self.open = Counter()
        # What somebody's restart excuses just now: "streams" that end, "answers" that break off, "messages"
        # on streams, "refused" connections.
        self.excused = set()
        self.problems = []
        self.sessions = {}

    def count(self, what, why=""):
        self.counts[what] += 1
        if why and len(self.problems) < 20:
            self.problems.append(f"{what}: {why}")

    def unless(self, excuse, what, why):
        if excuse not in self.excused:
            self.count(what, why)


def token(principal, scope=SCOPES):
    return f"{principal}.{scope}.{principal}-secret"


def judge(world, event, whose, last):
    """Counts one event; what its number is."""
    data = json.loads(event["data"])
    world.counts["events"] += 1
    if data["whose"] != whose:
        world.count("crossed", f"{whose} got {data}")
    number = data["n"]
    if last is not None and number <= last:
        world.count("duplicated", f"{whose}: {number} after {last}")
    elif last is not None and number > last + 1:
        world.counts["lost"] += number - last - 2
        world.count("lost", f"{whose}: {number} after {last}")
    return number


@contextlib.contextmanager
def opened(world, kind, answer):
    world.open[kind] += 1
    try:
        yield
    finally:
        world.open[kind] -= 1
        answer.close()


async def initialize(world, principal, name):
    """A session: the reference that the client has, and the upstream's own name of it."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
    message["params"] = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": name}}
    answer = await world.client.call("/events", token(principal), message)
    if answer.status != 200:
        raise Cut
    body = json.loads(await answer.body())
    answer.close()
    return answer.fields["mcp-session-id"], body["result"]["session"]


async def listen(world, principal, name):
    """A resumable GET stream of Streamable HTTP."""
    reference, whose = await initialize(world, principal, name)
    world.sessions[name] = (principal, reference)
    last = None
    while True:
        fields = {"Authorization": f"Bearer {token(principal)}", "Accept": "text/event-stream"}
        fields["Mcp-Session-Id"] = reference
        if last is not None:
            fields["Last-Event-ID"] = str(last)
        try:
            answer = await world.client.request("GET", "/events", fields)
            with opened(world, "listening", answer):
                if answer.status == 200:
                    async for event in answer.events():
                        last = judge(world, event, whose, last)
                    world.unless("streams", "streams ended", f"{name} ended")
                else:
                    world.unless("streams", "streams refused", f"{name} was refused: {answer.status}")
        except BROKEN as error:
            world.unless("streams", "streams ended", f"{name} broke: {error!r}")
        await asyncio.sleep(0.1)


async def listen_legacy(world, principal, name):
    """A stream of HTTP+SSE with messages: numbered for each connection, for it cannot be resumed."""
    while True:
        fields = {"Authorization": f"Bearer {token(principal)}", "Accept": "text/event-stream"}
        try:
            answer = await world.client.request("GET", "/legacy", fields)
            with opened(world, "legacy", answer):
                if answer.status != 200:
                    world.unless("streams", "streams refused", f"{name} was refused: {answer.status}")
                else:
                    await converse(world, principal, name, answer)
                    world.unless("streams", "streams ended", f"{name} ended")
        except BROKEN as error:
            world.unless("streams", "streams ended", f"{name} broke: {error!r}")
        await asyncio.sleep(0.1)


async def converse(world, principal, name, answer):
    """Reads the stream, asks now and then, and counts answers that do not come."""
    events, endpoint, whose, last, asked = answer.events(), None, None, None, None
    async for event in events:
        if event.get("event") == "endpoint":
            endpoint = event["data"].removeprefix(f"https://127.0.0.1:{world.client.port}")
            continue
        data = json.loads(event["data"])
        if whose is None:
            # Its first event says whose it is; number 0 begins.
            whose, last = data["whose"], -1
        last = judge(world, event, whose, last)
        if "to" in data:
            world.counts["answers on streams"] += 1
            if data["to"] != name or data["id"] != asked:
                world.count("crossed", f"{name} got the answer {data}, asked {asked}")
            asked = None
        if asked is not None and last > asked + 40:
            world.count("lost", f"{name}: no answer to {asked} by event {last}")
            asked = None
        if asked is None and last % 8 == 4:
            asked = last
            message = {"jsonrpc": "2.0", "id": asked, "method": "tools/list", "params": {"whose": name}}
            sent = await world.client.call(endpoint, token(principal), message)
            sent.close()
            if sent.status != 202:
                asked = None
                world.unless("messages", "messages refused", f"{name}: {sent.status}")


async def ask_for_streams(world, principal, name):
    """Calls whose answers are event streams: none may break off, none may seem whole that is not."""
    number = 0
    while True:
        number += 1
        message = {"jsonrpc": "2.0", "id": number, "method": "tools/call"}
        message["params"] = {"name": "count", "arguments": {"whose": name}}
        excused_at_first = set(world.excused)
        try:
            answer = await world.client.call("/events", token(principal), message)
        except BROKEN as error:
            world.unless("refused", "calls not answered", f"{name}: {error!r}")
            await asyncio.sleep(0.1)
            continue
        last, final = -1, None
        with opened(world, "answering", answer):
            try:
                if answer.status == 503 and "refused" in world.excused:
                    world.counts["not ready"] += 1
                    await asyncio.sleep(0.1)
                    continue
                if answer.status != 200:
                    world.unless("answers", "answers refused", f"{name}: {answer.status}")
                    await asyncio.sleep(0.1)
                    continue
                async for event in answer.events():
                    last = judge(world, event, name, last)
                    final = json.loads(event["data"]).get("id", final)
                if final == number:
                    world.counts["answers"] += 1
                else:
                    world.count("answers cut that seem whole", f"{name}: ended after {last}")
            except BROKEN as error:
                if "answers" not in excused_at_first | world.excused:
                    world.count("answers cut", f"{name} after event {last}: {error!r}")


async def call(world, principal, path, keeps):
    """Short calls, on one connection or on a new one each: none may fail."""
    scope = principal if path == "/generation" else SCOPES
    connection, number = None, 0
    while True:
        number += 1
        try:
            if connection is None:
                connection = await asyncio.open_connection("127.0.0.1", world.client.port, ssl=world.client.tls)
            message = {"jsonrpc": "2.0", "id": number, "method": "tools/list"}
            answer = await world.client.call(path, token(principal, scope), message, None, connection)
            body = await answer.body()
        except BROKEN as error:
            world.unless("refused", "calls not answered", f"{path}: {error!r}")
            connection = None
            await asyncio.sleep(0.05)
            continue
        world.counts["calls"] += 1
        judge_call(world, principal, path, answer, body)
        if not keeps or answer.fields.get("connection") == "close":
            answer.close()
            connection = None
        await asyncio.sleep(0.01)


def judge_call(world, principal, path, answer, body):
    if answer.status == 503 and "refused" in world.excused:
        # It has just been started and is not ready: nobody who looks at that sends requests.
        world.counts["not ready"] += 1
    elif answer.status >= 500:
        world.count("5xx", f"{path}: {answer.status} {body[:120]!r}")
    elif path != "/generation":
        if answer.status != 200:
            world.count("other answers", f"{path}: {answer.status} {body[:120]!r}")
    elif answer.status == 200:
        generation = int(json.loads(body)["result"]["generation"])
        world.counts["let in"] += 1
        if ("even", "odd")[generation % 2] != principal:
            world.count("mixed", f"{principal} was let in and seen by generation {generation}")
    elif answer.status == 403:
        world.counts["kept out"] += 1
        other = "odd" if principal == "even" else "even"
        if f'scope="{other}"' not in answer.fields.get("www-authenticate", ""):
            world.count("mixed", f"{principal} was refused with {answer.fields.get('www-authenticate')}")
    else:
        world.count("other answers", f"{path}: {answer.status}")


async def intrude(world):
    """Shows the sessions of others: that must be as if they did not exist."""
    while True:
        for principal, reference in list(world.sessions.values()):
            other = "grace" if principal == "ada" else "ada"
            fields = {"Authorization": f"Bearer {token(other)}", "Accept": "text/event-stream"}
            fields["Mcp-Session-Id"] = reference
            with contextlib.suppress(*BROKEN):
                answer = await world.client.request("GET", "/events", fields)
                answer.close()
                world.counts["intrusions"] += 1
                if answer.status < 400:
                    world.count("crossed", f"{other} came into a session of {principal}: {answer.status}")
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
