"""HTTP/1.1 as little as a test server needs: keep-alive, bodies by length, chunked event streams.

With this the counterparts of the gateway start in a tenth of a second and need nothing installed.
"""

import asyncio
import contextlib
import json
import signal

LARGE = 1 << 16


class Request:
    def __init__(self, method, target, fields, body, writer):
        self.method, self.fields, self.body, self.writer = method, fields, body, writer
        self.path, _, self.query = target.partition("?")

    def field(self, name):
        return self.fields.get(name)

    async def answer(self, status, content=None, fields=None):
        """A JSON answer, or an empty one."""
        body = b"" if content is None else json.dumps(content).encode()
        head = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in (fields or {}).items()]
        self.writer.write("\r\n".join([*head, "", ""]).encode() + body)
        await self.writer.drain()

    async def answer_large(self, size):
        """A text of this size, as fast as it is taken."""
        head = f"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: {size + 2}\r\n\r\n"
        self.writer.write(head.encode() + b'"')
        for _ in range(size // LARGE):
            self.writer.write(b"x" * LARGE)
            await self.writer.drain()
        self.writer.write(b'"')

    async def begin_stream(self):
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
        self.writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        await self.writer.drain()

    async def send(self, text):
        data = text.encode()
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()

    async def end_stream(self):
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()


async def read_request(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    body = b""
    if fields.get("transfer-encoding") == "chunked":
        while size := int((await reader.readline()).strip(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    elif length := int(fields.get("content-length", 0)):
        body = await read_body(reader, length)
    return Request(method, target, fields, body, writer)


async def read_body(reader, length):
    """Of a large one only that it came is of interest."""
    if length <= LARGE:
        return await reader.readexactly(length)
    while length > 0:
        length -= len(await reader.readexactly(min(length, LARGE)))
    return b""


async def serve(port, handle):
    """Serves on loopback until SIGTERM; `handle` answers one request."""

    async def connection(reader, writer):
        gone = (ConnectionError, asyncio.IncompleteReadError, TimeoutError)
        with contextlib.suppress(*gone):
            while True:
                request = await read_request(reader, writer)
                await handle(request)
        writer.close()

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.start_server(connection, "127.0.0.1", port, limit=LARGE, backlog=1024)
    await stop.wait()
    server.close()
