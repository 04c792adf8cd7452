"""What is proven, one function per scenario; `SCENARIOS` lists them in the order they run.

A scenario takes the `Bench` (authorization server, upstreams, gateway binary) and raises `Failure`
when something is not as it should be.
"""

import http.client
import json
import time
from functools import partial

from calls import expect_refusal, post, tool_call
from conformance import differences, failed_requirements, required_scenarios, run_suite
from harness import (
    HERE,
    NODE,
    PYTHON_MCP1,
    PYTHON_MCP2,
    TESTER_SECRET,
    AuthorizationServer,
    Gateway,
    McpClient,
    PartnerServer,
    expect,
    fetch,
    free_port,
    readme_configuration,
)
from stream_scenarios import stream_scenarios
from token_scenarios import token_scenarios
from usage import Noting

EVERYTHING = HERE / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
REVISIONS = ("2025-11-25", "2026-07-28")
# Scenarios that pass only with an answer of the server; some others are content with a refusal.
NEED_AN_ANSWER = ("tools-", "prompts-", "resources-", "completion-")


class Bench:
    """The counterparts, started once: two authorization servers and the unmodified MCP servers."""

    def __init__(self, lab, binary):
        self.lab, self.binary = lab, binary
        self.server = AuthorizationServer(lab)
        self.partner = PartnerServer(lab)
        self.upstreams = Noting()
        self.direct_runs = {}
        for transport, path in (("streamable-http", "/mcp"), ("sse", "/sse")):
            word = "streamableHttp" if transport == "streamable-http" else "sse"
            everything = [NODE, "--require", HERE / "loopback.cjs", EVERYTHING, word]
            self.add("server-everything", transport, path, everything, by_environment=True)
            for kind, python in (("mcp1", PYTHON_MCP1), ("mcp2", PYTHON_MCP2)):
                self.add(kind, transport, path, [python, f"server_{kind}.py", "--transport", transport])
        self.add("conformance", "streamable-http", "/mcp", [PYTHON_MCP2, "conformance_server.py"])

    def add(self, kind, transport, path, command, by_environment=False):
        port = free_port()
        arguments = [] if by_environment else ["--port", port]
        environment = {"PORT": str(port)} if by_environment else {}
        self.lab.serve(f"upstream-{kind}-{transport}", [*command, *arguments], port, environment)
        self.upstreams[kind, transport] = f"http://127.0.0.1:{port}{path}"

    def gateway(self, kind, transport, ttl=None):
        return self.configured(readme_configuration(self.server, self.upstreams[kind, transport], ttl))

    def configured(self, configuration):
        return Gateway(self.lab, self.binary, configuration)


def refusals(bench):
    """Every refusal tells the client the right next thing."""
    with bench.gateway("mcp2", "streamable-http") as gateway:
        document_url = f"{gateway.origin}/.well-known/oauth-protected-resource{gateway.path}"
        always = [f'resource_metadata="{document_url}"', 'scope="notes.read"']
        expect_refusal(post(gateway.url), 401, always, ["error="])
        expect_refusal(post(gateway.url, "no-such-token"), 401, [*always, 'error="invalid_token"'])
        foreign = bench.server.token(f"{gateway.origin}/other", "notes.read")
        expect_refusal(post(gateway.url, foreign), 401, [*always, 'error="invalid_token"'])
        narrow = bench.server.token(gateway.url, "notes.write")
        expect_refusal(post(gateway.url, narrow), 403, [*always, 'error="insufficient_scope"'])
        status, _, body = fetch("GET", document_url)
        expect(status == 200, f"the metadata document answers {status}")
        document = json.loads(body)
        expect(document["authorization_servers"] == [bench.server.issuer], f"wrong issuer: {document}")
        expect(document["resource"] == gateway.url, f"wrong resource: {document}")


def whole_flow(kind, upstream, transport, mode, bench):
    """From the 401 to a tool's answer, and a second call that the authorization server never sees."""
    with bench.gateway(upstream, transport) as gateway:
        before = bench.server.introspections()
        with McpClient(bench.lab, kind, gateway.url, transport, mode) as client:
            hello = client.answer()
            expect("echo" in hello["tools"], f"the tool echo is missing: {hello}")
            era = "2026-07-28" if (upstream, mode) == ("mcp2", "auto") else "2025-11-25"
            expect(hello["version"] == era, f"they should have agreed on {era}: {hello}")
            first = client.ask("call one")
            expect(first["text"] == "Echo: one" and not first["failed"], f"first call: {first}")
            asked = bench.server.introspections()
            expect(asked > before, "the gateway let a call through without asking about the token")
            second = client.ask("call two")
            expect(second["text"] == "Echo: two" and not second["failed"], f"second call: {second}")
            again = bench.server.introspections() - asked
            expect(again == 0, f"the second call cost {again} introspections")
            client.quit()


def revoked(kind, transport, bench):
    """A token revoked at the authorization server is refused once the cached answer is too old."""
    with bench.gateway("mcp2", transport, ttl="1s") as gateway:
        with McpClient(bench.lab, kind, gateway.url, transport) as client:
            client.answer()
            expect(client.ask("call one")["text"] == "Echo: one", "the call before the revocation failed")
            token = client.ask("token")["token"]
            status = post(gateway.url, token)[0]
            expect(status not in (401, 403, 503), f"the token was refused before its revocation: {status}")
            revoked_with = client.ask("revoke")["revoked"]
            expect(revoked_with == 200, f"the revocation was answered {revoked_with}")
            time.sleep(1.3)
            expect_refusal(post(gateway.url, token), 401, ['error="invalid_token"'])


def with_rules(configuration, rules):
    """The same configuration with rules on its route."""

    def at(origin):
        text = configuration(origin)
        line = "    required_scopes: [notes.read]"
        expect(line in text, "the README's configuration requires other scopes now")
        return text.replace(line, f"{line}\n{rules}")

    return at


def step_up(kind, transport, bench):
    """A tool that needs more: the client is told by a 403, asks for all of it, and calls again."""
    usual = readme_configuration(bench.server, bench.upstreams["mcp2", transport])
    configuration = with_rules(usual, "    tools: {echo: [notes.write]}")
    with bench.configured(configuration) as gateway:
        with McpClient(bench.lab, kind, gateway.url, transport, "legacy") as client:
            hello = client.answer()
            expect("echo" in hello["tools"], f"nobody could step up to a tool that is hidden: {hello}")
            scope = client.ask("token")["scope"].split()
            expect(scope == ["notes.read"], f"the first token should be narrow: {scope}")
            called = client.ask("call wider")
            expect(called["text"] == "Echo: wider" and not called["failed"], f"the call: {called}")
            scope = sorted(client.ask("token")["scope"].split())
            expect(scope == ["notes.read", "notes.write"], f"the wider token: {scope}")
            denied = gateway.metric('gatehouse_auth_decisions_total{outcome="denied",reason="insufficient_scope"')
            expect(denied >= 1, "no call was ever refused for want of scope")
            client.quit()


def first_event_at_once(bench):
    """An event that the upstream sends early arrives early, not with the end of the answer."""
    with bench.gateway("mcp2", "streamable-http") as gateway:
        token = bench.server.token(gateway.url, "notes.read")
        body, headers = tool_call("slow", {}, f"Bearer {token}", progress_token=1)
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        connection.request("POST", gateway.path, body, headers)
        response = connection.getresponse()
        expect(response.status == 200, f"the call was answered {response.status}")
        arrivals = [time.monotonic() for line in response if line.startswith(b"data:")]
        connection.close()
        expect(len(arrivals) == 2, f"expected progress and result, got {len(arrivals)} events")
        lead = arrivals[1] - arrivals[0]
        expect(lead > 1, f"the first event came only {lead:.2f} s before the last")


def direct_run(bench, revision):
    """The suite against the fixture itself, run once for each revision."""
    if revision not in bench.direct_runs:
        url = bench.upstreams["conformance", "streamable-http"]
        bench.direct_runs[revision] = run_suite("direct", url, revision)
    return bench.direct_runs[revision]


# Rules of every kind, one of which hides, so that every message is judged and every list filtered;
# none is about anything that the fixture has.
RULES = """    tools: {"absent_*": [notes.write], hidden: {required_scopes: [notes.write], when_denied: hide}}
    prompts: {"absent_*": {required_scopes: [notes.write], when_denied: hide}}
    resources: {"absent:*": {required_scopes: [notes.write], when_denied: hide}}
    methods: {"absent/*": [notes.write]}"""


def suite_through_gateway(bench, revision, name, *options, rules=None):
    configuration = readme_configuration(bench.server, bench.upstreams["conformance", "streamable-http"])
    if rules:
        configuration = with_rules(configuration, rules)
    with bench.configured(configuration) as gateway:
        port = free_port()
        command = [NODE, "inject_token.mjs", "--port", port, "--gateway", gateway.port]
        command += ["--issuer", bench.server.issuer, "--resource", gateway.url, *options]
        injector = bench.lab.serve(f"injector-{name}", command, port, {"TESTER_SECRET": TESTER_SECRET})
        try:
            return run_suite(name, f"http://127.0.0.1:{port}{gateway.path}", revision)
        finally:
            bench.lab.stop(injector)


def conformance_direct(revision, bench):
    """The fixture passes every required scenario; otherwise equality with it would prove little."""
    failed = failed_requirements(direct_run(bench, revision), revision)
    expect(not failed, f"the fixture itself fails {', '.join(failed)}")


def conformance_through_gateway(revision, bench):
    """Through the gateway every check comes to what it comes to without it."""
    through = suite_through_gateway(bench, revision, "gateway")
    different = differences(direct_run(bench, revision), through)
    expect(not different, f"{len(different)} checks differ:\n    " + "\n    ".join(different[:20]))


def conformance_with_rules(revision, bench):
    """Rules that forbid nothing of what the suite does change nothing of it."""
    through = suite_through_gateway(bench, revision, "gateway-rules", rules=RULES)
    different = differences(direct_run(bench, revision), through)
    expect(not different, f"{len(different)} checks differ:\n    " + "\n    ".join(different[:20]))


def conformance_without_token(revision, bench):
    """Without a token nothing that needs an answer passes: the comparison above can fail."""
    refused = suite_through_gateway(bench, revision, "no-token", "--no-token")
    expect(differences(direct_run(bench, revision), refused), "a run without a token passed all the same")
    failed = failed_requirements(refused, revision)
    needy = [name for name in required_scenarios(revision) if name.startswith(NEED_AN_ANSWER)]
    passed = [name for name in needy if name not in failed]
    expect(needy and not passed, f"these pass without a token: {passed}")


def flows():
    """Every client to every upstream over every transport; then the revocations."""
    for kind in McpClient.COMMANDS:
        for upstream in ("server-everything", "mcp1", "mcp2"):
            yield f"flow: {kind} to {upstream}", partial(whole_flow, kind, upstream, "streamable-http", "auto")
            # HTTP+SSE is older than negotiation by `server/discover`.
            yield f"flow: {kind} to {upstream} over sse", partial(whole_flow, kind, upstream, "sse", "legacy")
        session = partial(whole_flow, kind, "mcp2", "streamable-http", "legacy")
        yield f"flow: {kind} to mcp2 with a session", session
        for transport in ("streamable-http", "sse"):
            # The npm client's HTTP+SSE transport takes a 403 for the end, whatever its challenge.
            if (kind, transport) != ("npm client 2.4", "sse"):
                yield f"step-up: {kind} over {transport}", partial(step_up, kind, transport)
            yield f"revoked: {kind} over {transport}", partial(revoked, kind, transport)


def conformance():
    """The direct runs come first: the others are compared with them."""
    stages = {
        "the fixture itself": conformance_direct,
        "equal through the gateway": conformance_through_gateway,
        "equal through the gateway with rules": conformance_with_rules,
        "different without a token": conformance_without_token,
    }
    for words, scenario in stages.items():
        for revision in REVISIONS:
            yield f"conformance {revision}: {words}", partial(scenario, revision)


SCENARIOS = [
    ("refusals", refusals),
    ("first event at once", first_event_at_once),
    *token_scenarios(),
    *flows(),
    *stream_scenarios(),
    *conformance(),
]
