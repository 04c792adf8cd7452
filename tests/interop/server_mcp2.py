"""An MCP server on PyPI `mcp` 2.3 (`MCPServer`): both eras on one URL, or HTTP+SSE.

    python server_mcp2.py --port PORT --transport streamable-http|sse
"""

import argparse

import anyio
from mcp.server.mcpserver import Context, MCPServer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--transport", choices=("streamable-http", "sse"), required=True)
    arguments = parser.parse_args()
    server = MCPServer("interop-mcp2", version="1.0.0", log_level="WARNING")

    @server.tool(description="Says the message again.")
    def echo(message: str) -> str:
        return f"Echo: {message}"

    @server.tool(description="Reports progress at once, answers after a second and a half.")
    async def slow(ctx: Context) -> str:
        await ctx.report_progress(0, 1)
        await anyio.sleep(1.5)
        return "done"

    server.run(arguments.transport, host="127.0.0.1", port=arguments.port)


if __name__ == "__main__":
    main()
