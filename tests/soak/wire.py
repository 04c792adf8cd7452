"""HTTP/1.1 as bytes, for clients: one connection, one request, what came back and how it ended.

Written here because it has to tell a stream that ended from one that was cut, which libraries hide.
"""

import asyncio
import json

ACCEPT = "application/json, text/event-stream"


class Cut(Exception):
    """The connection ended in the middle of an answer."""


class Answer:
    """The head of a response, and its body as it comes."""

    def __init__(self, status, fields, reader, writer):
        self.status, self.fields, self.reader, self.writer = status, fields, reader, writer

    async def pieces(self):
        """Body pieces until its proper end; raises Cut where there is none."""
        if self.fields.get("transfer-encoding") == "chunked":
            while True:
                size = int((await self.line()).split(b";")[0], 16)
                piece = await self.exactly(size + 2)
                if size == 0:
                    return
                yield piece[:-2]
        left = int(self.fields.get("content-length", 0))
        while left > 0:
            piece = await self.reader.read(min(left, 65536))
            if not piece:
                raise Cut
            left -= len(piece)
            yield piece

    async def body(self):
        return b"".join([piece async for piece in self.pieces()])

    async def events(self):
        """Whole events of a stream, each as a mapping of its fields."""
        buffer = b""
        async for piece in self.pieces():
            buffer += piece
            while b"\n\n" in buffer:
                event, buffer = buffer.split(b"\n\n", 1)
                fields = {}
                for line in event.decode().split("\n"):
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
                yield fields
        if buffer:
            # An end, said to be proper, in the middle of an event.
            raise Cut

    async def line(self):
        line = await self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise Cut
        return line[:-2]

    async def exactly(self, size):
        try:
            return await self.reader.readexactly(size)
        except asyncio.IncompleteReadError:
            raise Cut from None

    def close(self):
        # Whoever has heard enough need not say goodbye.
        self.writer.transport.abort()


class Client:
    """Opens connections to one address, with or without TLS."""

    def __init__(self, port, tls=None):
        self.port, self.tls = port, tls

    async def request(self, method, path, fields, body=None, connection=None):
        """Sends a request and reads the head; on a connection of its own unless one is given."""
        if connection is None:
            connection = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls, limit=1 << 20)
        reader, writer = connection
        try:
            head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
            head += [f"{name}: {value}" for name, value in fields.items()]
            if body is not None:
                head.append(f"Content-Length: {len(body)}")
            writer.write("\r\n".join([*head, "", ""]).encode() + (body or b""))
            await writer.drain()
            return await self.head(reader, writer)
        except BaseException:
            writer.transport.abort()
            raise

    @staticmethod
    async def head(reader, writer):
        answer = Answer(0, {}, reader, writer)
        answer.status = int((await answer.line()).split(b" ")[1])
        while line := await answer.line():
            name, _, value = line.decode().partition(":")
            answer.fields[name.lower()] = value.strip()
        return answer

    async def call(self, path, token, message, fields=None, connection=None):
        """A JSON-RPC message by POST."""
        fields = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": ACCEPT,
            **(fields or {}),
        }
        return await self.request("POST", path, fields, json.dumps(message).encode(), connection)
