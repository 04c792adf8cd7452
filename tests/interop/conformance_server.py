"""An MCP server with everything the official conformance suite asks a server for.

On PyPI `mcp` 2.3: both eras on one URL, sessions up to 2025-11-25 and stateless 2026-07-28.
The names and answers are those the suite's scenarios expect; what asks the client for input in
the 2026-07-28 manner lives in `conformance_inputs.py`. Listens on loopback only.

    python conformance_server.py --port PORT
"""

import argparse
import base64
import json
from typing import Annotated

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    Completion,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import Field

from conformance_inputs import register_inputs

# One red pixel.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
# A RIFF header over no samples: the shortest thing that is a WAV file.
SILENCE = base64.b64encode(
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"
    b"\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x00\x00\x00\x00"
).decode()

server = MCPServer("conformance-fixture", version="1.0.0", log_level="WARNING")


class Replay(EventStore):
    """Remembers every event of every stream, so that a client can resume by Last-Event-ID."""

    def __init__(self):
        self.events = []

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id, send_callback):
        position = int(last_event_id) if last_event_id.isdigit() else 0
        if not 0 < position <= len(self.events):
            return None
        stream_id = self.events[position - 1][0]
        for index, (owner, message) in enumerate(self.events[position:], start=position + 1):
            if owner == stream_id and message is not None:
                await send_callback(EventMessage(message, str(index)))
        return stream_id


def text(words):
    return TextContent(type="text", text=words)


def image():
    return ImageContent(type="image", data=PIXEL, mime_type="image/png")


def embedded(uri, mime_type, words):
    contents = TextResourceContents(uri=uri, mime_type=mime_type, text=words)
    return EmbeddedResource(type="resource", resource=contents)


# Tools that answer at once.


@server.tool(description="Answers with one text.")
def test_simple_text():
    return [text("This is a simple text response for testing.")]


@server.tool(description="Answers with an image.")
def test_image_content():
    return [image()]


@server.tool(description="Answers with a sound.")
def test_audio_content():
    return [AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")]


@server.tool(description="Answers with an embedded resource.")
def test_embedded_resource():
    return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


@server.tool(description="Answers with text, image and resource.")
def test_multiple_content_types():
    value = json.dumps({"test": "data", "value": 123})
    return [
        text("Multiple content types test:"),
        image(),
        embedded("test://mixed-content-resource", "application/json", value),
    ]


@server.tool(description="Always fails.")
def test_error_handling():
    raise ToolError("This tool intentionally returns an error for testing")


# Tools that speak while they run, or ask the client in the manner of the session revisions.


@server.tool(description="Logs three times while it runs.")
async def test_tool_with_logging(ctx: Context):
    for position, words in enumerate(("started", "processing data", "completed")):
        await anyio.sleep(0.05 if position else 0)
        await ctx.info(f"Tool {words}" if position == 1 else f"Tool execution {words}")
    return [text("Logged three messages.")]


@server.tool(description="Logs once; silent unless the request sets a log level.")
async def test_logging_tool(ctx: Context):
    await ctx.info("One message for those who asked.")
    return [text("Logged one message.")]


@server.tool(description="Reports progress three times while it runs.")
async def test_tool_with_progress(ctx: Context):
    for progress in (0, 50, 100):
        await anyio.sleep(0.05 if progress else 0)
        await ctx.report_progress(progress, 100)
    return [text("Reported progress.")]


@server.tool(description="Closes its own stream in mid-call; the answer waits for whoever resumes.")
async def test_reconnection(ctx: Context):
    await ctx.close_sse_stream()
    await anyio.sleep(0.1)
    return [text("The stream was closed and resumed.")]


@server.tool(description="Asks the client's model.")
async def test_sampling(prompt: str, ctx: Context):
    question = SamplingMessage(role="user", content=text(prompt))
    answer = await ctx.session.create_message(
        [question], max_tokens=100, related_request_id=ctx.request_context.request_id
    )
    return [text(f"LLM response: {getattr(answer.content, 'text', answer.content)}")]


async def ask(ctx, message, properties, required=()):
    schema = {"type": "object", "properties": properties, "required": list(required)}
    answer = await ctx.session.elicit(message, schema, related_request_id=ctx.request_context.request_id)
    return f"action={answer.action}, content={json.dumps(answer.content)}"


@server.tool(description="Asks the user for a name and an address.")
async def test_elicitation(message: str, ctx: Context):
    properties = {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    }
    return [text(f"User response: {await ask(ctx, message, properties, properties)}")]


@server.tool(description="Asks with a default for every primitive type.")
async def test_elicitation_sep1034_defaults(ctx: Context):
    properties = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    return [text(f"Elicitation completed: {await ask(ctx, 'Check the defaults.', properties)}")]


@server.tool(description="Asks with every kind of choice.")
async def test_elicitation_sep1330_enums(ctx: Context):
    plain = ["option1", "option2", "option3"]
    order = ("First", "Second", "Third")

    def titled(noun):
        return [{"const": f"value{n}", "title": f"{word} {noun}"} for n, word in enumerate(order, start=1)]

    properties = {
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled("Option")},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled("Choice")}},
    }
    return [text(f"Elicitation completed: {await ask(ctx, 'Choose.', properties)}")]


# Tools about what clients can do, what they subscribed to and what their headers repeat.


@server.tool(description="Takes an argument that a header repeats, so that a proxy need not read the body.")
def test_mirrored_argument(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]):
    return [text(f"Region: {region}")]


@server.tool(description="Needs a client that can sample.")
def test_missing_capability(ctx: Context):
    capabilities = ctx.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        missing = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs the sampling capability", missing)
    return [text("The client can sample.")]


@server.tool(description="Announces that the tools changed.")
async def test_trigger_tool_change(ctx: Context):
    await ctx.notify_tools_changed()
    return [text("Announced.")]


@server.tool(description="Announces that the prompts changed.")
async def test_trigger_prompt_change(ctx: Context):
    await ctx.notify_prompts_changed()
    return [text("Announced.")]


# Resources.


@server.resource("test://static-text", description="A fixed text.", mime_type="text/plain")
def static_text():
    return "This is the content of the static text resource."


@server.resource("test://static-binary", description="A fixed image.", mime_type="image/png")
def static_binary():
    return base64.b64decode(PIXEL)


@server.resource("test://watched-resource", description="One to subscribe to.", mime_type="text/plain")
def watched_resource():
    return "Nothing happens here."


@server.resource("test://template/{id}/data", description="Data by number.", mime_type="application/json")
def template_data(id: str):
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


# Prompts and completion.


@server.prompt(description="One fixed message.")
def test_simple_prompt():
    return [UserMessage(text("This is a simple prompt for testing."))]


@server.prompt(description="A message made of two arguments.")
def test_prompt_with_arguments(arg1: str, arg2: str):
    return [UserMessage(text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]


@server.prompt(description="A message with a resource in it.")
def test_prompt_with_embedded_resource(resourceUri: str):
    resource = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [UserMessage(resource), UserMessage(text("Please process the embedded resource above."))]


@server.prompt(description="A message with an image in it.")
def test_prompt_with_image():
    return [UserMessage(image()), UserMessage(text("Please analyze the image above."))]


@server.completion()
async def complete(_reference, argument, _context):
    matches = [word for word in ("paris", "park", "party", "testing") if word.startswith(argument.value)]
    return Completion(values=matches, total=len(matches), has_more=False)


def register_session_methods():
    """What only the session revisions have; `MCPServer` offers no public way to serve these."""

    async def accept(_ctx, _params):
        return EmptyResult()

    methods = {
        "logging/setLevel": SetLevelRequestParams,
        "resources/subscribe": SubscribeRequestParams,
        "resources/unsubscribe": UnsubscribeRequestParams,
    }
    for method, params in methods.items():
        server._lowlevel_server.add_request_handler(method, params, accept)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    port = arguments.parse_args().port
    register_session_methods()
    register_inputs(server)
    # The retry interval is what the suite's polling scenario waits for.
    server.run("streamable-http", host="127.0.0.1", port=port, event_store=Replay(), retry_interval=200)


if __name__ == "__main__":
    main()
