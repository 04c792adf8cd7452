// A real authorization server for the interop tests: `oidc-provider` on loopback.
//
// Access tokens per resource (RFC 8707: any loopback URL is a resource), opaque ones, and JWTs for
// the client `tester-jwt`; introspection that answers only the gateway, by secret or by assertion;
// dynamic registration, authorization code with PKCE and the package's development login pages,
// client credentials, refresh with rotation, revocation.
//
//     node authorization_server.mjs PORT
//
// Prints `ready ISSUER` once it serves. GET /test/counts says how often each endpoint was asked, so
// that a test can see what a cache spared; POST /test/rotate has tokens signed by a new key, of
// another type, beside which the old ones stay published. GATEWAY_SECRET is the secret of the clients
// `gatehouse` and `gatehouse-secret-jwt`, TESTER_SECRET that of `tester` and `tester-jwt`;
// GATEWAY_KEY_FILE is where the private key of `gatehouse-key` is written; TOKEN_LIFETIME is how long
// access tokens live, in seconds, where that is not ten minutes.

import * as crypto from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

import Provider, { errors } from "oidc-provider";
import MemoryAdapter from "oidc-provider/lib/adapters/memory_adapter.js";

const SCOPES = ["notes.read", "notes.write", "notes.admin"];
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

const port = Number(process.argv[2]);
const { GATEWAY_KEY_FILE, GATEWAY_SECRET, TESTER_SECRET, TOKEN_LIFETIME } = process.env;
if (!Number.isInteger(port) || !GATEWAY_KEY_FILE || !GATEWAY_SECRET || !TESTER_SECRET) {
  console.error(
    "usage: GATEWAY_KEY_FILE=... GATEWAY_SECRET=... TESTER_SECRET=... node authorization_server.mjs PORT",
  );
  process.exit(2);
}
const issuer = `http://127.0.0.1:${port}`;

// Clients register with the scope of their first challenge; this server would then refuse them a
// wider one later. Widening it at registration is what a server that supports step-up does.
function widenRegistration(ctx) {
  ctx.oidc.body.scope = ["openid", "offline_access", ...SCOPES].join(" ");
  return crypto.randomUUID();
}

function resourceServer(_ctx, resource, client) {
  if (!LOOPBACK.includes(new URL(resource).hostname)) throw new errors.InvalidTarget();
  return {
    scope: SCOPES.join(" "),
    audience: resource,
    accessTokenFormat: client.clientId === "tester-jwt" ? "jwt" : "opaque",
    accessTokenTTL: Number(TOKEN_LIFETIME ?? 600),
    jwt: { sign: { alg: keys[0].alg } },
  };
}

// Introspects, nothing else.
function introspecting(client_id, authentication) {
  return { client_id, grant_types: [], response_types: [], redirect_uris: [], ...authentication };
}

function serviceAccount(client_id) {
  return {
    client_id,
    client_secret: TESTER_SECRET,
    grant_types: ["client_credentials"],
    response_types: [],
    redirect_uris: [],
    scope: SCOPES.join(" "),
  };
}

// RFC 7638 section 3: the gateway names its key by its thumbprint.
function withThumbprint({ crv, kty, x, y }) {
  const kid = crypto.createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
  return { crv, kid, kty, x, y };
}

const gatewayKey = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
writeFileSync(GATEWAY_KEY_FILE, gatewayKey.privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });

const keys = [signingKey("RS256")];
const configuration = {
  // One store for all providers of this process, so that tokens survive a change of keys.
  adapter: (model) => new MemoryAdapter(model),
  clients: [
    introspecting("gatehouse", { client_secret: GATEWAY_SECRET }),
    introspecting("gatehouse-secret-jwt", {
      client_secret: GATEWAY_SECRET,
      token_endpoint_auth_method: "client_secret_jwt",
    }),
    introspecting("gatehouse-key", {
      jwks: { keys: [withThumbprint(gatewayKey.publicKey.export({ format: "jwk" }))] },
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: "ES256",
    }),
    serviceAccount("tester"),
    serviceAccount("tester-jwt"),
  ],
  scopes: ["openid", "offline_access", ...SCOPES],
  responseTypes: ["code"],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed("refresh_token"),
  cookies: { keys: [crypto.randomBytes(32).toString("hex")] },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    introspection: {
      enabled: true,
      allowedPolicy: (_ctx, client) => client.clientId.startsWith("gatehouse"),
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
};

function signingKey(alg) {
  const { privateKey } =
    alg === "RS256"
      ? crypto.generateKeyPairSync("rsa", { modulusLength: 2048 })
      : crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...privateKey.export({ format: "jwk" }), kid: `interop-${alg}`, alg, use: "sig" };
}

// The keys of a provider are fixed when it is made.
function serveWithKeys() {
  const provider = new Provider(issuer, { ...configuration, jwks: { keys } });
  provider.on("introspection.error", (_ctx, error) => console.error("introspection", error.error_detail ?? error));
  application = provider.callback();
}

const COUNTED = { "/token/introspection": "introspections", "/token": "tokens", "/jwks": "key_sets" };
const counts = { introspections: 0, tokens: 0, key_sets: 0 };
let application;
serveWithKeys();
createServer((request, response) => {
  const path = new URL(request.url, issuer).pathname;
  if (path === "/test/rotate" && request.method === "POST") {
    keys.unshift(signingKey("ES256"));
    serveWithKeys();
  }
  if (path.startsWith("/test/")) {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(counts));
    return;
  }
  if (path in COUNTED) counts[COUNTED[path]] += 1;
  application(request, response);
}).listen(port, "127.0.0.1", () => console.log(`ready ${issuer}`));
