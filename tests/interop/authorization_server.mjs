// A real authorization server for the interop tests: `oidc-provider` on loopback.
//
// Opaque access tokens per resource (RFC 8707: any loopback URL is a resource), introspection that
// answers only the gateway, dynamic registration, authorization code with PKCE and the package's
// development login pages, client credentials, refresh with rotation, revocation.
//
//     node authorization_server.mjs PORT
//
// Prints `ready ISSUER` once it serves. GET /test/introspections says how often introspection was
// asked, so that a test can see what a cache spared. GATEWAY_SECRET is the secret of the client
// `gatehouse`, TESTER_SECRET that of the client `tester`.

import * as crypto from "node:crypto";
import { createServer } from "node:http";

import Provider, { errors } from "oidc-provider";

const SCOPES = ["notes.read", "notes.write", "notes.admin"];
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

const port = Number(process.argv[2]);
const { GATEWAY_SECRET, TESTER_SECRET } = process.env;
if (!Number.isInteger(port) || !GATEWAY_SECRET || !TESTER_SECRET) {
  console.error("usage: GATEWAY_SECRET=... TESTER_SECRET=... node authorization_server.mjs PORT");
  process.exit(2);
}
const issuer = `http://127.0.0.1:${port}`;

// Clients register with the scope of their first challenge; this server would then refuse them a
// wider one later. Widening it at registration is what a server that supports step-up does.
function widenRegistration(ctx) {
  ctx.oidc.body.scope = ["openid", "offline_access", ...SCOPES].join(" ");
  return crypto.randomUUID();
}

function resourceServer(_ctx, resource) {
  if (!LOOPBACK.includes(new URL(resource).hostname)) throw new errors.InvalidTarget();
  return {
    scope: SCOPES.join(" "),
    audience: resource,
    accessTokenFormat: "opaque",
    accessTokenTTL: 600,
  };
}

const provider = new Provider(issuer, {
  clients: [
    // Introspects, nothing else.
    {
      client_id: "gatehouse",
      client_secret: GATEWAY_SECRET,
      grant_types: [],
      response_types: [],
      redirect_uris: [],
    },
    // A service account.
    {
      client_id: "tester",
      client_secret: TESTER_SECRET,
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
      scope: SCOPES.join(" "),
    },
  ],
  scopes: ["openid", "offline_access", ...SCOPES],
  responseTypes: ["code"],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed("refresh_token"),
  cookies: { keys: [crypto.randomBytes(32).toString("hex")] },
  jwks: { keys: [signingKey()] },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    introspection: {
      enabled: true,
      allowedPolicy: (_ctx, client) => client.clientId === "gatehouse",
    },
    registration: { enabled: true, idFactory: widenRegistration },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: resourceServer,
      useGrantedResource: () => true,
    },
    revocation: {
      enabled: true,
      allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId,
    },
  },
});

function signingKey() {
  const { privateKey } = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: "interop", alg: "RS256", use: "sig" };
}

let introspections = 0;
const application = provider.callback();
createServer((request, response) => {
  const path = new URL(request.url, issuer).pathname;
  if (path === "/test/introspections") {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ count: introspections }));
    return;
  }
  if (path === "/token/introspection") introspections += 1;
  application(request, response);
}).listen(port, "127.0.0.1", () => console.log(`ready ${issuer}`));
