// A reverse proxy that adds a token, for clients that cannot send one: the conformance suite.
//
// It gets one token by client credentials for the gateway's resource and sets `Authorization` on
// every request; with --no-token it adds nothing. All else passes as it comes, both ways, without
// buffering. A Host that names this proxy's port is given the gateway's port instead, so that the
// gateway judges Host and Origin as if the client had called it directly.
//
//     node inject_token.mjs --port PORT --gateway PORT --issuer URL --resource URL [--no-token]

import { createServer, request as send } from "node:http";
import { pipeline } from "node:stream";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    gateway: { type: "string" },
    issuer: { type: "string" },
    resource: { type: "string" },
    "no-token": { type: "boolean", default: false },
  },
});

async function obtainToken() {
  const response = await fetch(`${values.issuer}/token`, {
    method: "POST",
    headers: {
      authorization: `Basic ${btoa(`tester:${process.env.TESTER_SECRET}`)}`,
    },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      scope: "notes.read",
      resource: values.resource,
    }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`no token: ${JSON.stringify(answer)}`);
  return answer.access_token;
}

const authorization = values["no-token"] ? [] : ["Authorization", `Bearer ${await obtainToken()}`];

function forwardedHeaders(raw) {
  const headers = [];
  for (let index = 0; index < raw.length; index += 2) {
    const isHost = raw[index].toLowerCase() === "host";
    headers.push(raw[index]);
    headers.push(isHost ? raw[index + 1].replace(`:${values.port}`, `:${values.gateway}`) : raw[index + 1]);
  }
  return [...headers, ...authorization];
}

createServer((incoming, outgoing) => {
  const forwarded = send({
    host: "127.0.0.1",
    port: Number(values.gateway),
    method: incoming.method,
    path: incoming.url,
    headers: forwardedHeaders(incoming.rawHeaders),
    setHost: false,
  });
  forwarded.on("response", (response) => {
    outgoing.writeHead(response.statusCode, response.rawHeaders);
    outgoing.flushHeaders();
    pipeline(response, outgoing, () => {});
  });
  forwarded.on("error", () => outgoing.destroy());
  outgoing.on("close", () => forwarded.destroy());
  incoming.pipe(forwarded);
}).listen(Number(values.port), "127.0.0.1", () => console.log("ready"));
