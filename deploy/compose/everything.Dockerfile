# The MCP project's reference server, from npm.
FROM docker.io/library/node:24-slim
RUN npm install --global --ignore-scripts @modelcontextprotocol/server-everything@2026.8.31
USER 1000:1000
ENV PORT=3001
EXPOSE 3001
CMD ["mcp-server-everything", "streamableHttp"]
