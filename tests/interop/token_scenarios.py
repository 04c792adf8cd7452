"""Tokens of every kind from two authorization servers, and every way to ask about them.

The routes of one gateway differ in how their tokens are judged; all lead to the same MCP server. A
scenario takes the `Bench` and raises `Failure`, as in `scenarios`.
"""

import base64
import json
import threading
import time
from functools import partial

from calls import echo, expect_echo, expect_refusal, post
from harness import GATEWAY_SECRET, TESTER_SECRET, AuthorizationServer, PartnerServer, basic, expect, fetch

UPSTREAM = ("mcp2", "streamable-http")
SECRET = '{id: gatehouse, secret: "${INTROSPECTION_SECRET}"}'
# Calls of each worker before, and at least as many after the keys change.
CALLS = 50
WORKERS = 2


def configuration(bench, servers, routes):
    """Authorization servers and routes, each with the keys that matter, as text."""
    upstream = bench.upstreams[UPSTREAM]

    def at(origin):
        lines = [f"public_url: {origin}", "authorization_servers:"]
        for name, keys in servers.items():
            lines.append(f"  {name}: {{{keys}}}")
        lines.append("routes:")
        for name, keys in routes.items():
            lines += [f"  {name}:", f"    path: /{name}", f"    upstream: {upstream}"]
            lines += ["    required_scopes: [notes.read]", *(f"    {key}" for key in keys)]
        return "\n".join(lines) + "\n"

    return at


def bearer(server, url, client="tester"):
    return f"Bearer {server.token(url, 'notes.read', client)}"


def key_id(authorization):
    header = authorization.removeprefix("Bearer ").split(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]


def three_kinds(bench):
    """One issuer, three routes: introspection, key set, and each where it fits."""
    issuer = f"issuer: {bench.server.issuer}"
    servers = {
        "asked": f"{issuer}, client: {SECRET}",
        "verified": f"{issuer}, access_tokens: jwt",
        "both": f"{issuer}, access_tokens: auto, client: {SECRET}",
    }
    routes = {name: [f"authorization_servers: [{name}]"] for name in servers}
    return configuration(bench, servers, routes)


def each_kind_on_its_route(bench):
    """Opaque tokens are introspected, JWTs verified; neither falls through to the other."""
    with bench.configured(three_kinds(bench)) as gateway:
        url = {name: f"{gateway.origin}/{name}" for name in ("asked", "verified", "both")}
        before = bench.server.counts()
        expect_echo(url["asked"], bearer(bench.server, url["asked"]), "opaque, introspected")
        expect_echo(url["both"], bearer(bench.server, url["both"]), "opaque, either")
        asked = bench.server.counts()["introspections"] - before["introspections"]
        expect(asked == 2, f"two opaque tokens cost {asked} introspections")
        for name in ("verified", "both"):
            jwt = bearer(bench.server, url[name], "tester-jwt")
            expect_echo(url[name], jwt, f"JWT on {name}")
            expect_refusal(tampered(url[name], jwt), 401, ['error="invalid_token"'])
        foreign = bearer(bench.server, f"{gateway.origin}/other", "tester-jwt")
        expect_refusal(post(url["both"], foreign.removeprefix("Bearer ")), 401, ['error="invalid_token"'])
        opaque = bench.server.token(url["verified"], "notes.read")
        expect_refusal(post(url["verified"], opaque), 401, ['error="invalid_token"'])
        after = bench.server.counts()["introspections"] - before["introspections"]
        expect(after == 2, f"{after - 2} introspections of JWTs, or of tokens where none are asked about")


def tampered(url, jwt):
    """The same token with another scope and the old signature."""
    header, payload, signature = jwt.removeprefix("Bearer ").split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["scope"] += " notes.admin"
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return post(url, f"{header}.{changed}.{signature}")


class Load:
    """Workers that call a route without pause, each time with a new token."""

    def __init__(self, bench, routes):
        self.bench, self.stopping = bench, threading.Event()
        self.lock, self.done, self.failures = threading.Lock(), [], []
        self.threads = [
            threading.Thread(target=self.work, args=route, daemon=True) for route in routes for _ in range(WORKERS)
        ]
        for thread in self.threads:
            thread.start()

    def work(self, url, client):
        while not self.stopping.is_set():
            try:
                authorization = bearer(self.bench.server, url, client)
                signed_by = key_id(authorization) if client == "tester-jwt" else "opaque"
                expect_echo(url, authorization, f"{url}, {signed_by}")
            except Exception as error:  # counted, and told at the end
                with self.lock:
                    self.failures.append(str(error))
            else:
                with self.lock:
                    self.done.append((url, signed_by))

    def wait_for(self, ready, what, timeout=15):
        deadline = time.monotonic() + timeout
        while not ready():
            expect(not self.failures, f"{len(self.failures)} calls failed: {self.failures[:3]}")
            expect(time.monotonic() < deadline, f"{what} took longer than {timeout} s")
            time.sleep(0.02)

    def count(self, url, signed_by):
        with self.lock:
            return self.done.count((url, signed_by))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=15)
        expect(not self.failures, f"{len(self.failures)} calls failed: {self.failures[:3]}")


def rotation_under_load(bench):
    """The keys change while calls run: none fails, and each key set is fetched once for it."""
    with bench.configured(three_kinds(bench)) as gateway:
        asked, verified, both = (f"{gateway.origin}/{name}" for name in ("asked", "verified", "both"))
        routes = [(asked, "tester"), (verified, "tester-jwt"), (both, "tester"), (both, "tester-jwt")]
        first = key_id(bearer(bench.server, verified, "tester-jwt"))
        fetched = bench.server.counts()["key_sets"]
        load = Load(bench, routes)
        try:
            for url in (verified, both):
                load.wait_for(lambda url=url: load.count(url, first) >= CALLS, "the calls before the rotation")
            expect(bench.server.counts()["key_sets"] - fetched <= 2, "calls with a known key fetched key sets")
            fetched = bench.server.counts()["key_sets"]
            bench.server.rotate_keys()
            second = key_id(bearer(bench.server, verified, "tester-jwt"))
            expect(second != first, f"the key is still {first}")
            for url, signed_by in ((verified, second), (both, second), (both, "opaque"), (asked, "opaque")):
                enough = load.count(url, signed_by) + CALLS
                load.wait_for(
                    lambda url=url, by=signed_by, enough=enough: load.count(url, by) >= enough,
                    "the calls after the rotation",
                )
        finally:
            load.stop()
        fetched = bench.server.counts()["key_sets"] - fetched
        expect(fetched == 2, f"two key sets were fetched {fetched} times for one new key")


def two_servers_on_one_route(bench):
    """Tokens of both servers open the route they share, each judged by its own server."""
    corp, partner = bench.server, bench.partner
    servers = {
        name: f"issuer: {server.issuer}, access_tokens: auto, client: {SECRET}"
        for name, server in (("corp", corp), ("partner", partner))
    }
    routes = {"shared": ["authorization_servers: [corp, partner]"], "own": ["authorization_servers: [corp]"]}
    with bench.configured(configuration(bench, servers, routes)) as gateway:
        shared, own = f"{gateway.origin}/shared", f"{gateway.origin}/own"
        document = json.loads(fetch("GET", f"{gateway.origin}/.well-known/oauth-protected-resource/shared")[2])
        issuers = document["authorization_servers"]
        expect(issuers == [corp.issuer, partner.issuer], f"the document lists {issuers}")

        def asked():
            return corp.counts()["introspections"], partner.counts()["introspections"]

        def costs(server, client, url, expected, what):
            before = asked()
            expect_echo(url, bearer(server, url, client), what)
            cost = tuple(now - then for now, then in zip(asked(), before))
            expect(cost == expected, f"{what} cost {cost} introspections, not {expected}")

        costs(corp, "tester", shared, (1, 0), "an opaque token of the first")
        costs(partner, "tester", shared, (1, 1), "an opaque token of the second")
        costs(corp, "tester-jwt", shared, (0, 0), "a JWT of the first")
        costs(partner, "tester-jwt", shared, (0, 0), "a JWT of the second")
        before = asked()
        for client in ("tester", "tester-jwt"):
            answer = post(own, partner.token(own, "notes.read", client))
            expect_refusal(answer, 401, ['error="invalid_token"'])
        expect(asked()[1] == before[1], "the second server was asked on a route that does not list it")


def one_of_two_servers_down(bench):
    """What one server knows stays good while the other is gone; what nobody knows is 503, not 401."""
    lost = PartnerServer(bench.lab)
    servers = {
        "lost": f"issuer: {lost.issuer}, access_tokens: auto, client: {SECRET}",
        "corp": f"issuer: {bench.server.issuer}, access_tokens: auto, client: {SECRET}",
    }
    routes = {"shared": ["authorization_servers: [lost, corp]"]}
    with bench.configured(configuration(bench, servers, routes)) as gateway:
        shared = gateway.url
        known = bearer(lost, shared, "tester-jwt")
        expect_echo(shared, known, "a JWT before its server is gone")
        unseen = bearer(lost, shared, "tester-jwt")
        bench.lab.stop(lost.process)
        expect_echo(shared, known, "a JWT seen before")
        expect_echo(shared, unseen, "a JWT of a known key")
        expect_echo(shared, bearer(bench.server, shared), "an opaque token of the server that is left")
        expect_echo(shared, bearer(bench.server, shared, "tester-jwt"), "a JWT of the server that is left")
        status, headers, body = post(shared, "no-such-token")
        expect(status == 503, f"expected 503, got {status} {body[:300]!r}")
        expect(headers.get("www-authenticate") is None, "a 503 with a challenge sends clients to a login")
        expect(headers.get("retry-after") is not None, "a 503 without Retry-After")


def introspection_without_a_secret(authentication, client, bench):
    """The server verifies what the gateway signs; with a key it does not know, nobody gets in."""
    client = client.replace("KEY_FILE", str(bench.server.key_file))
    issuer = f"issuer: {bench.server.issuer}"
    servers = {"signing": f"{issuer}, client: {{{client}, authentication: {authentication}}}"}
    with bench.configured(configuration(bench, servers, {"notes": []})) as gateway:
        before = bench.server.introspections()
        expect_echo(gateway.url, bearer(bench.server, gateway.url), authentication)
        asked = bench.server.introspections() - before
        expect(asked == 1, f"one token cost {asked} introspections")
        expect_refusal(post(gateway.url, "no-such-token"), 401, ['error="invalid_token"'])
        status, _, body = fetch("GET", f"{gateway.origin}/.well-known/jwks.json")
        published = [(key["kty"], "d" in key) for key in json.loads(body)["keys"]] if status == 200 else []
        expected = [("EC", False)] if authentication == "private_key_jwt" else []
        expect(published == expected, f"the gateway publishes {published}: {body[:300]!r}")


def introspection_with_another_key(bench):
    """A key that the server does not know is an outage of ours, not a fault of the caller's token."""
    other = AuthorizationServer(bench.lab)
    client = f"id: gatehouse-key, private_key_file: {other.key_file}, authentication: private_key_jwt"
    bench.lab.stop(other.process)
    servers = {"signing": f"issuer: {bench.server.issuer}, client: {{{client}}}"}
    with bench.configured(configuration(bench, servers, {"notes": []})) as gateway:
        status, headers, body = echo(gateway.url, bearer(bench.server, gateway.url))
        expect(status == 503, f"expected 503, got {status} {body[:300]!r}")
        expect(headers.get("www-authenticate") is None, "a 503 with a challenge sends clients to a login")


def service_account_by_basic(bench):
    """Client credentials in `Authorization: Basic` become a token once; wrong ones get both challenges."""
    servers = {"corp": f"issuer: {bench.server.issuer}, access_tokens: auto, client: {SECRET}"}
    routes = {"notes": ["basic_client_credentials: true"]}
    with bench.configured(configuration(bench, servers, routes)) as gateway:
        for client, introspections in (("tester", 1), ("tester-jwt", 0)):
            before = bench.server.counts()
            for turn in ("first", "second", "third"):
                expect_echo(gateway.url, basic(client, TESTER_SECRET), f"the {turn} call of {client}")
            after = bench.server.counts()
            cost = {name: after[name] - before[name] for name in ("tokens", "introspections")}
            expected = {"tokens": 1, "introspections": introspections}
            expect(cost == expected, f"three calls of {client} cost {cost}, not {expected}")
        status, headers, body = echo(gateway.url, basic("tester", f"not-{TESTER_SECRET}"))
        schemes = {challenge.split()[0] for challenge in headers.get_all("www-authenticate", [])}
        expect(status == 401, f"a wrong secret: expected 401, got {status} {body[:300]!r}")
        expect(schemes == {"Bearer", "Basic"}, f"a wrong secret is answered with the challenges {schemes}")
        expect(TESTER_SECRET.encode() not in body, "the refusal repeats the secret")
        log = (bench.lab.logs / f"gateway-{gateway.port}.log").read_text()
        for secret in (TESTER_SECRET, GATEWAY_SECRET, basic("tester", TESTER_SECRET)):
            expect(secret not in log, "a secret is in the gateway's log")


def token_scenarios():
    signing = {
        "client_secret_jwt": 'id: gatehouse-secret-jwt, secret: "${INTROSPECTION_SECRET}"',
        "private_key_jwt": "id: gatehouse-key, private_key_file: KEY_FILE",
    }
    yield "tokens: each kind on its route", each_kind_on_its_route
    yield "tokens: keys rotate under load", rotation_under_load
    yield "tokens: two authorization servers on one route", two_servers_on_one_route
    yield "tokens: one of two authorization servers is down", one_of_two_servers_down
    for authentication, client in signing.items():
        scenario = partial(introspection_without_a_secret, authentication, client)
        yield f"tokens: introspection by {authentication}", scenario
    yield "tokens: introspection with a key nobody knows", introspection_with_another_key
    yield "tokens: a service account by Basic", service_account_by_basic
