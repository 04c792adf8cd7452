"""An MCP server on PyPI `mcp` 1.30 (`FastMCP`): sessions up to 2025-11-25, or HTTP+SSE.

    python server_mcp1.py --port PORT --transport streamable-http|sse
"""

import argparse

from mcp.server.fastmcp import FastMCP


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--transport", choices=("streamable-http", "sse"), required=True)
    arguments = parser.parse_args()
    server = FastMCP("interop-mcp1", host="127.0.0.1", port=arguments.port, log_level="WARNING")

    @server.tool(description="Says the message again.")
    def echo(message: str) -> str:
        return f"Echo: {message}"

    @server.tool(description="Adds two numbers.")
    def add(a: int, b: int) -> int:
        return a + b

    server.run(arguments.transport)


if __name__ == "__main__":
    main()
