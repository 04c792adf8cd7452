"""An authorization server that is asked: metadata and introspection, nothing else.

    python authorization_server.py PORT RESOURCE...

A token is `PRINCIPAL.SCOPE.UNIQUE`, with `+` between scopes; all others are not active. Any of the
gateway's secrets is right, so that they can be rotated: whoever has none is 401.
"""

import asyncio
import base64
import sys
import time
import urllib.parse

from server import serve

PORT, RESOURCES = int(sys.argv[1]), sys.argv[2:]
ISSUER = f"http://127.0.0.1:{PORT}"
PRINCIPALS = ("ada", "grace", "even", "odd")


async def handle(request):
    if request.path.startswith("/.well-known/"):
        await request.answer(
            200,
            {
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/authorize",
                "token_endpoint": f"{ISSUER}/token",
                "introspection_endpoint": f"{ISSUER}/introspect",
                "response_types_supported": ["code"],
            },
        )
    elif request.path == "/introspect":
        _, _, credentials = (request.field("authorization") or "").partition(" ")
        if not base64.b64decode(credentials).startswith(b"gatehouse:secret-"):
            await request.answer(401, {"error": "invalid_client"})
            return
        token = urllib.parse.parse_qs(request.body.decode()).get("token", [""])[0]
        await request.answer(200, facts(token))
    else:
        await request.answer(404, {})


def facts(token):
    principal, _, rest = token.partition(".")
    scope, _, unique = rest.partition(".")
    if principal not in PRINCIPALS or not unique:
        return {"active": False}
    return {
        "active": True,
        "iss": ISSUER,
        "aud": RESOURCES,
        "sub": principal,
        "client_id": f"client-of-{principal}",
        "scope": scope.replace("+", " "),
        "exp": int(time.time()) + 3600,
    }


asyncio.run(serve(PORT, handle))
