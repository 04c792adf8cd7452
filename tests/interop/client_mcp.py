"""A real MCP client: PyPI `mcp` 2.3 with its `OAuthClientProvider`, headless.

It is given the URL of an MCP server and finds everything else as any client would: the 401, the
protected resource metadata, the authorization server, registration, PKCE code, token. A script
that follows the redirects and posts the login forms stands in for the browser.

    python client_mcp.py --url URL --transport streamable-http|sse [--mode auto|legacy]

Then it obeys lines on standard input and answers each with one line of JSON: `call MESSAGE` calls
the tool `echo`, `token` shows the access token, `revoke` revokes it, `quit` ends.
"""

import argparse
import html
import json
import re
import sys

import anyio
import anyio.to_thread
import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

# Nothing listens there: the browser stops at the redirect to it.
REDIRECT_URI = "http://127.0.0.1:1/callback"


class Memory:
    """Where the client keeps its registration and tokens."""

    def __init__(self):
        self.tokens = None
        self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


class Browser:
    """Signs in as whoever the login page lets in and consents to everything."""

    def __init__(self):
        self.landed = None

    async def open(self, url):
        async with httpx2.AsyncClient(timeout=10) as http:
            response = await http.get(url)
            for _ in range(20):
                if response.is_redirect:
                    target = response.url.join(response.headers["location"])
                    if str(target).startswith(REDIRECT_URI):
                        self.landed = target.params
                        return
                    response = await http.get(target)
                    continue
                response = await self.submit(http, response)
        raise RuntimeError("the login led nowhere")

    async def submit(self, http, page):
        form = re.search(r'<form[^>]*action="([^"]+)"', page.text)
        if form is None:
            raise RuntimeError(f"no form at {page.url}: {page.status_code} {page.text[:300]}")
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        if 'name="login"' in page.text:
            fields |= {"login": "alice", "password": "any"}
        return await http.post(page.url.join(html.unescape(form.group(1))), data=fields)

    async def result(self):
        landed = self.landed
        if landed is None or "code" not in landed:
            raise RuntimeError(f"no code came back: {landed}")
        return AuthorizationCodeResult(code=landed["code"], state=landed.get("state"), iss=landed.get("iss"))


def say(**answer):
    print(json.dumps(answer), flush=True)


async def revoke(memory, provider):
    """RFC 7009, at the endpoint the client discovered."""
    endpoint = str(provider.context.oauth_metadata.revocation_endpoint)
    fields, headers = provider.context.prepare_token_auth(
        {"token": memory.tokens.access_token, "client_id": memory.client.client_id}, {}
    )
    async with httpx2.AsyncClient(timeout=10) as http:
        response = await http.post(endpoint, data=fields, headers=headers)
    say(revoked=response.status_code)


async def obey(client, memory, provider):
    while line := await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        command, _, rest = line.strip().partition(" ")
        if command == "call":
            result = await client.call_tool("echo", {"message": rest})
            say(text=result.content[0].text, failed=bool(result.is_error))
        elif command == "token":
            say(token=memory.tokens.access_token, scope=memory.tokens.scope)
        elif command == "revoke":
            await revoke(memory, provider)
        elif command == "quit":
            return


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--transport", choices=("streamable-http", "sse"), required=True)
    parser.add_argument("--mode", default="auto")
    arguments = parser.parse_args()

    memory, browser = Memory(), Browser()
    metadata = OAuthClientMetadata(client_name="interop", redirect_uris=[REDIRECT_URI])
    provider = OAuthClientProvider(arguments.url, metadata, memory, browser.open, browser.result)
    async with httpx2.AsyncClient(auth=provider, timeout=httpx2.Timeout(10, read=60)) as http:
        if arguments.transport == "sse":
            transport = sse_client(arguments.url, auth=provider)
        else:
            transport = streamable_http_client(arguments.url, http_client=http)
        async with Client(transport, mode=arguments.mode, read_timeout_seconds=20) as client:
            tools = await client.list_tools()
            version = client.session.protocol_version
            say(tools=[tool.name for tool in tools.tools], version=version)
            await obey(client, memory, provider)


if __name__ == "__main__":
    anyio.run(main)
