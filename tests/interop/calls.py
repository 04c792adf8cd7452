"""Raw calls, to see exactly what a client would see."""

import http.client
import json
import urllib.parse

from harness import expect, fetch

ACCEPT = "application/json, text/event-stream"
META = "io.modelcontextprotocol"


def tool_call(name, arguments, authorization, progress_token=None):
    """Body and headers of a call in one request, as 2026-07-28 has it: no session before it."""
    meta = {f"{META}/protocolVersion": "2026-07-28", f"{META}/clientCapabilities": {}}
    if progress_token is not None:
        meta["progressToken"] = progress_token
    parameters = {"name": name, "arguments": arguments, "_meta": meta}
    headers = {
        "Content-Type": "application/json",
        "Accept": ACCEPT,
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": name,
    }
    if authorization is not None:
        headers["Authorization"] = authorization
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": parameters}), headers


def echo(url, authorization, timeout=10):
    """Calls the tool `echo`: status, headers and the whole body, streamed or not."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("POST", parts.path, *tool_call("echo", {"message": "hello"}, authorization))
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def expect_echo(url, authorization, what):
    """The call goes through, to the upstream and back."""
    status, headers, body = echo(url, authorization)
    challenge = headers.get("www-authenticate")
    expect(status == 200, f"{what}: expected 200, got {status} {body[:300]!r} {challenge or ''}")
    expect(b"Echo: hello" in body, f"{what}: the answer is not the tool's: {body[:300]!r}")


def post(url, token=None, message=None):
    """A raw JSON-RPC POST, to see the refusal a client would see."""
    headers = {"Content-Type": "application/json", "Accept": ACCEPT}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    ping = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
    return fetch("POST", url, headers, json.dumps(message or ping))


def expect_refusal(answer, status, parts, absent=()):
    """Checks status, challenge and the id of a refusal."""
    got, headers, body = answer
    challenge = headers.get("www-authenticate") or ""
    expect(got == status, f"expected {status}, got {got} {body[:300]!r}")
    expect(challenge.startswith("Bearer "), f"no Bearer challenge: {challenge!r}")
    for part in parts:
        expect(part in challenge, f"the challenge lacks {part}: {challenge!r}")
    for part in absent:
        expect(part not in challenge, f"the challenge should not have {part}: {challenge!r}")
    expect(json.loads(body).get("id") == 7, f"the body does not carry the request's id: {body[:300]!r}")
