"""HTTP/2 as bytes (RFC 9113), for clients that have several calls at once on one connection.

Only as much of HPACK (RFC 7541) as it takes to ask, and to read a status: the gateway is told to keep
no table.
"""

import asyncio
import json
import ssl
import struct

from streams import BROKEN, judge_call, token
from wire import ACCEPT, Cut

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4
NO_TABLE = struct.pack(">HI", 1, 0)
# Of the static table, from index 8 on.
STATUSES = (200, 204, 206, 304, 400, 404, 500)
AT_ONCE = 3


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    """A string that is not coded; all of them are short."""
    value = value.encode()
    if len(value) >= 127:
        raise ValueError("too long")
    return bytes([len(value)]) + value


def status_in(block):
    """The first field of a response's head."""
    block = block.lstrip(b"\x20")
    if block[0] & 0x80:
        return STATUSES[(block[0] & 0x7F) - 8]
    length, value = block[1] & 0x7F, block[2:]
    if not block[1] & 0x80:
        return int(value[:length])
    bits, digits = "".join(f"{byte:08b}" for byte in value[:length]), ""
    while len(digits) < 3:
        # Digits up to 2 have codes of five bits, the others of six.
        is_short = bits[:5] in ("00000", "00001", "00010")
        digits += str(int(bits[:5], 2) if is_short else int(bits[:6], 2) - 0b011001 + 3)
        bits = bits[5 if is_short else 6 :]
    return int(digits)


class Answer:
    def __init__(self):
        self.status, self.fields, self.body, self.is_whole = 0, {}, b"", False


class Connection:
    """One connection, and the calls on it."""

    def __init__(self, port, reader, writer):
        self.port, self.reader, self.writer = port, reader, writer
        self.stream, self.is_ending, self.answers = -1, False, {}

    @classmethod
    async def open(cls, port, context):
        connection = cls(port, *await asyncio.open_connection("127.0.0.1", port, ssl=context))
        connection.writer.write(PREFACE + frame(SETTINGS, 0, 0, NO_TABLE))
        return connection

    async def calls(self, path, bearer, messages):
        """Sends all of them, then reads all answers, in whatever order they come."""
        fields = (("authorization", f"Bearer {bearer}"), ("content-type", "application/json"), ("accept", ACCEPT))
        head = b"\x83\x87\x04" + text(path) + b"\x01" + text(f"127.0.0.1:{self.port}")
        head += b"".join(b"\x00" + text(name) + text(value) for name, value in fields)
        self.answers, frames = {}, b""
        for message in messages:
            self.stream += 2
            self.answers[self.stream] = Answer()
            frames += frame(HEADERS, END_HEADERS, self.stream, head)
            frames += frame(DATA, END_STREAM, self.stream, json.dumps(message).encode())
        self.writer.write(frames)
        try:
            await self.writer.drain()
            while not all(answer.is_whole for answer in self.answers.values()):
                await self.read()
        except asyncio.IncompleteReadError:
            raise Cut from None
        return list(self.answers.values())

    async def read(self):
        """One frame."""
        head = await self.reader.readexactly(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big")
        payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
        answer = self.answers.get(stream)
        if kind in (SETTINGS, PING) and not flags & ACK:
            self.writer.write(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == GOAWAY:
            self.is_ending = True
            if max(self.answers) > int.from_bytes(payload[:4], "big"):
                raise Cut
        elif answer is not None and kind == RST_STREAM and not answer.is_whole:
            raise Cut
        elif answer is not None and kind in (HEADERS, DATA):
            if kind == HEADERS:
                answer.status = answer.status or status_in(payload)
            elif payload:
                answer.body += payload
                self.writer.write(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))))
            answer.is_whole = bool(flags & END_STREAM)


async def call_over_http2(world, principal, path, context):
    """Calls, several at once: none may fail."""
    connection = None
    messages = [{"jsonrpc": "2.0", "id": number, "method": "tools/list"} for number in range(AT_ONCE)]
    while True:
        try:
            if connection is None:
                connection = await Connection.open(world.client.port, context)
            answers = await connection.calls(path, token(principal), messages)
        except BROKEN as error:
            world.unless("refused", "calls not answered", f"HTTP/2 {path}: {error!r}")
            if connection is not None:
                connection.writer.transport.abort()
            connection = None
            await asyncio.sleep(0.05)
            continue
        for message, answer in zip(messages, answers, strict=True):
            world.counts["calls over HTTP/2"] += 1
            judge_call(world, principal, path, answer, answer.body)
            if answer.status == 200 and json.loads(answer.body)["id"] != message["id"]:
                world.count("crossed", f"HTTP/2: {answer.body[:120]!r}")
        if connection.is_ending:
            connection.writer.transport.abort()
            connection = None
        await asyncio.sleep(0.02)


def context_for(authority):
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["h2"])
    return context
