"""Streams of clients whose tokens live for seconds.

A client that refreshes and goes on calling keeps the stream it opened; one that does not loses it,
cleanly. A scenario takes the `Bench` and raises `Failure`, as in `scenarios`.
"""

import http.client
import re
import time
from functools import partial

from calls import ACCEPT, expect_refusal, post
from harness import AuthorizationServer, Gateway, McpClient, expect, readme_configuration, wait_until

# Seconds: how long a token lives, and how long its streams outlive it.
LIFETIME = 4
SKEW = 3
TRANSPORTS = ("streamable-http", "sse")


def short_lived(bench, transport):
    """A gateway before an authorization server whose tokens live for seconds."""
    if not hasattr(bench, "hasty"):
        bench.hasty = AuthorizationServer(bench.lab, LIFETIME)
    usual = readme_configuration(bench.hasty, bench.upstreams["mcp2", transport])

    def at(origin):
        return re.sub(r"^(\s*)(issuer:.*)$", rf"\1\2\n\1clock_skew: {SKEW}s", usual(origin), flags=re.MULTILINE)

    return Gateway(bench.lab, bench.binary, at)


def open_streams(gateway):
    return gateway.metric("gatehouse_active_streams{")


def streams_begun(gateway):
    # Public documents are counted apart, as of no route.
    return gateway.metric('gatehouse_requests_total{method="GET",route="notes",status="200"}')


def kept(kind, transport, bench):
    """The stream of the first moment is the stream of the last, three tokens later."""
    with short_lived(bench, transport) as gateway:
        before = bench.hasty.counts()["tokens"]
        with McpClient(bench.lab, kind, gateway.url, transport, "legacy") as client:
            client.answer()
            wait_until("the stream", lambda: open_streams(gateway) == 1, client.process)
            begun = time.monotonic()
            while time.monotonic() - begun < 3 * LIFETIME:
                said = client.ask("call again")
                expect(said["text"] == "Echo: again" and not said["failed"], f"a call failed: {said}")
                time.sleep(0.3)
            tokens = bench.hasty.counts()["tokens"] - before
            expect(tokens >= 3, f"the client got {tokens} tokens: it did not refresh")
            begun = streams_begun(gateway)
            expect(begun == 1, f"the client needed {begun} streams, not one")
            expect(open_streams(gateway) == 1, "the stream is gone")
            expect("token_expired" not in gateway.log(), "a stream ended with its token")
            client.quit()


def lost(kind, transport, bench):
    """A client that says nothing loses its stream when its token is over."""
    with short_lived(bench, transport) as gateway:
        with McpClient(bench.lab, kind, gateway.url, transport, "legacy") as client:
            client.answer()
            wait_until("the stream", lambda: open_streams(gateway) == 1, client.process)
            patience = LIFETIME + SKEW + 3
            wait_until("the end", lambda: "token_expired" in gateway.log(), client.process, patience)


def ended_cleanly(bench):
    """On the wire: the last chunk, no sooner than the token's end, and then a 401."""
    with short_lived(bench, "sse") as gateway:
        begun = time.monotonic()
        token = bench.hasty.token(gateway.url, "notes.read")
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=LIFETIME + SKEW + 15)
        connection.request("GET", gateway.path, headers={"Authorization": f"Bearer {token}", "Accept": ACCEPT})
        response = connection.getresponse()
        expect(response.status == 200, f"the stream was answered {response.status}")
        # A stream that is cut raises here.
        events = response.read()
        lasted = time.monotonic() - begun
        connection.close()
        expect(b"event: endpoint" in events, f"the stream began with {events[:200]!r}")
        expect(events.endswith((b"\n\n", b"\r\n\r\n")), f"the stream ended inside an event: {events[-200:]!r}")
        # Its times are whole seconds; a slow machine takes its time to ask and to hear.
        end = LIFETIME + SKEW
        expect(end - 1.2 < lasted < end + 10, f"the stream lasted {lasted:.1f} s, its token {LIFETIME} s")
        expect_refusal(post(gateway.url, token), 401, ['error="invalid_token"'])


def stream_scenarios():
    yield "stream ended cleanly", ended_cleanly
    for kind in McpClient.COMMANDS:
        for transport in TRANSPORTS:
            yield f"stream kept: {kind} over {transport}", partial(kept, kind, transport)
            yield f"stream lost: {kind} over {transport}", partial(lost, kind, transport)
