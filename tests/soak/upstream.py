"""An MCP server, as far as streams go, whose events can be counted.

    python upstream.py PORT

Event n of a session exists from a moment on that follows from n alone, so a server that was killed
and started again has the same events: whoever shows `Last-Event-ID` gets those since, and no others.
Every event says whose it is. Events are written in two pieces, so that a kill hits some in the middle.
"""

import asyncio
import json
import secrets
import sys
import time
import urllib.parse

from server import serve

PERIOD = 0.25
SLOW_EVENTS = 12
LARGE_ANSWER = 8 << 20
# Message endpoints of HTTP+SSE: what waits to be said on the stream.
WAITING = {}


def now():
    """The number of the newest event."""
    return int(time.time() / PERIOD)


async def say(request, number, whose, **more):
    event = f"id: {number}\ndata: {json.dumps({'n': number, 'whose': whose, **more})}\n\n"
    half = len(event) // 2
    await request.send(event[:half])
    await asyncio.sleep(0.001)
    await request.send(event[half:])


async def numbered(request, whose):
    """Numbered events for ever, from the one after `Last-Event-ID` or the newest."""
    last = request.field("last-event-id")
    number = int(last) + 1 if last else now()
    while True:
        while number <= now():
            await say(request, number, whose)
            number += 1
        await asyncio.sleep(PERIOD / 5)


async def streamable(request):
    session = request.field("mcp-session-id")
    if request.method == "GET":
        if session is None:
            await request.answer(400, {})
            return
        await request.begin_stream()
        await numbered(request, session)
        return
    message = json.loads(request.body or '{"method": "tools/list", "id": 1}')
    if message["method"] == "initialize":
        name = message["params"]["clientInfo"]["name"]
        session = f"{name}-{secrets.token_hex(8)}"
        await request.answer(200, result(message, {"session": session}), {"Mcp-Session-Id": session})
    elif message["method"] == "tools/call":
        whose = message["params"]["arguments"]["whose"]
        await request.begin_stream()
        for number in range(SLOW_EVENTS):
            await say(request, number, whose)
            await asyncio.sleep(PERIOD / 2)
        await say(request, SLOW_EVENTS, whose, id=message["id"])
        await request.end_stream()
    elif message["method"] == "large":
        await request.answer_large(LARGE_ANSWER)
    else:
        generation = request.field("x-generation")
        await request.answer(200, result(message, {"generation": generation, "session": session}))


def result(message, content):
    return {"jsonrpc": "2.0", "id": message["id"], "result": content}


async def legacy(request):
    """HTTP+SSE (2024-11-05): the stream names an endpoint, answers come on the stream."""
    if request.method == "GET":
        whose = secrets.token_hex(8)
        WAITING[whose] = queue = asyncio.Queue()
        await request.begin_stream()
        await request.send(f"event: endpoint\ndata: /messages?session={whose}\n\n")
        number = 0
        try:
            while True:
                try:
                    answer = await asyncio.wait_for(queue.get(), PERIOD)
                    await say(request, number, whose, id=answer["id"], to=answer["params"]["whose"])
                except TimeoutError:
                    await say(request, number, whose)
                number += 1
        finally:
            del WAITING[whose]
        return
    query = urllib.parse.parse_qs(request.query)
    queue = WAITING.get(query["session"][0])
    if queue is None:
        await request.answer(404, {})
        return
    queue.put_nowait(json.loads(request.body))
    await request.answer(202)


async def handle(request):
    if request.path in ("/sse", "/messages"):
        await legacy(request)
    else:
        await streamable(request)


asyncio.run(serve(int(sys.argv[1]), handle))
