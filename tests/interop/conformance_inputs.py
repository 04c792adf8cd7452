"""The part of the conformance fixture that asks clients for input the 2026-07-28 way.

A tool (or prompt) that lacks an answer returns `InputRequiredResult`; the client retries the same
request with `inputResponses` and the `requestState` it was given. `mcp` seals that state, so that
a changed one is refused before it comes here.
"""

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)


def text(words):
    return TextContent(type="text", text=words)


def form(message, field, kind="string"):
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(question, max_tokens):
    message = SamplingMessage(role="user", content=text(question))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=max_tokens))


def wanted(requests, state=None):
    return InputRequiredResult(input_requests=requests, request_state=state)


def form_answer(ctx, key, field):
    """The accepted value of a form, or nothing: not answered, not accepted, or not what was asked."""
    answer = (ctx.input_responses or {}).get(key)
    if getattr(answer, "action", None) != "accept":
        return None
    return (getattr(answer, "content", None) or {}).get(field)


def register_single(server):
    """One question, one answer."""

    @server.tool(description="Asks for a name.")
    def test_input_required_result_elicitation(ctx: Context):
        name = form_answer(ctx, "user_name", "name")
        if not isinstance(name, str):
            return wanted({"user_name": form("What is your name?", "name")})
        return [text(f"Hello, {name}!")]

    @server.tool(description="Asks for a name, and its stream carries nothing but that question.")
    def test_streaming_elicitation(ctx: Context):
        return test_input_required_result_elicitation(ctx)

    @server.tool(description="Asks the client's model.")
    def test_input_required_result_sampling(ctx: Context):
        answer = (ctx.input_responses or {}).get("capital_question")
        content = getattr(answer, "content", None)
        if content is None:
            return wanted({"capital_question": sample("What is the capital of France?", 100)})
        return [text(f"The model says: {getattr(content, 'text', content)}")]

    @server.tool(description="Asks for the client's roots.")
    def test_input_required_result_list_roots(ctx: Context):
        roots = getattr((ctx.input_responses or {}).get("client_roots"), "roots", None)
        if roots is None:
            return wanted({"client_roots": ListRootsRequest()})
        return [text("Roots: " + ", ".join(str(root.uri) for root in roots))]

    @server.tool(description="Asks only what this client said it can answer.")
    def test_input_required_result_capabilities(ctx: Context):
        offered = {
            "elicitation": ("user_name", form("What is your name?", "name")),
            "sampling": ("greeting", sample("Generate a greeting", 50)),
            "roots": ("client_roots", ListRootsRequest()),
        }
        requests = {key: request for name, (key, request) in offered.items()
                    if getattr(ctx.client_capabilities, name, None) is not None}
        if not requests or any(key in (ctx.input_responses or {}) for key in requests):
            return [text("Nothing left to ask.")]
        return wanted(requests)

    @server.prompt(description="A prompt that asks for its context first.")
    def test_input_required_result_prompt(ctx: Context):
        context = form_answer(ctx, "user_context", "context")
        if not isinstance(context, str):
            return wanted({"user_context": form("What context should the prompt use?", "context")})
        return [UserMessage(text(f"Use this context: {context}"))]


def register_stateful(server):
    """Questions whose state travels through the client."""

    @server.tool(description="Asks for confirmation and checks its own state.")
    def test_input_required_result_request_state(ctx: Context):
        if ctx.request_state != "confirming" or form_answer(ctx, "confirm", "ok") is None:
            return wanted({"confirm": form("Please confirm", "ok", "boolean")}, "confirming")
        return [text("state-ok")]

    @server.tool(description="Asks for confirmation with a state nobody may change.")
    def test_input_required_result_tampered_state(ctx: Context):
        if ctx.request_state != "sealed" or form_answer(ctx, "confirm", "ok") is None:
            return wanted({"confirm": form("Please confirm", "ok", "boolean")}, "sealed")
        return [text("The state came back unchanged.")]

    @server.tool(description="Asks three things at once.")
    def test_input_required_result_multiple_inputs(ctx: Context):
        requests = {
            "user_name": form("What is your name?", "name"),
            "greeting": sample("Generate a greeting", 50),
            "client_roots": ListRootsRequest(),
        }
        if ctx.request_state != "three" or set(requests) - set(ctx.input_responses or {}):
            return wanted(requests, "three")
        return [text(f"All three answered, {form_answer(ctx, 'user_name', 'name')}.")]

    @server.tool(description="Asks twice, one after the other.")
    def test_input_required_result_multi_round(ctx: Context):
        name = form_answer(ctx, "step1", "name")
        if ctx.request_state == "round-1" and isinstance(name, str):
            return wanted({"step2": form("Step 2: What is your favorite color?", "color")}, f"round-2 {name}")
        color = form_answer(ctx, "step2", "color")
        if (ctx.request_state or "").startswith("round-2 ") and isinstance(color, str):
            return [text(f"{ctx.request_state.removeprefix('round-2 ')} likes {color}.")]
        return wanted({"step1": form("Step 1: What is your name?", "name")}, "round-1")


def register_inputs(server):
    register_single(server)
    register_stateful(server)
