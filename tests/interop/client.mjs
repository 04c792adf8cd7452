// A real MCP client: npm `@modelcontextprotocol/client` 2.4 with its OAuth support, headless.
//
// It is given the URL of an MCP server and finds everything else as any client would: the 401, the
// protected resource metadata, the authorization server, registration, PKCE code, token. A script
// that follows the redirects and posts the login forms stands in for the browser.
//
//     node client.mjs --url URL --transport streamable-http|sse [--mode auto|legacy]
//
// Then it obeys lines on standard input and answers each with one line of JSON: `call MESSAGE`
// calls the tool `echo`, `token` shows the access token, `revoke` revokes it, `quit` ends.

import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import {
  Client,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";

// Nothing listens there: the browser stops at the redirect to it.
const REDIRECT_URI = "http://127.0.0.1:1/callback";

const say = (answer) => console.log(JSON.stringify(answer));

// Signs in as whoever the login page lets in and consents to everything.
class Browser {
  #cookies = new Map();

  async #load(url, init = {}) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, { ...init, redirect: "manual", headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(";")[0].split("=");
      if (value) this.#cookies.set(name, value);
      else this.#cookies.delete(name);
    }
    return response;
  }

  async open(start) {
    let url = start;
    let init = {};
    for (let step = 0; step < 20; step += 1) {
      const response = await this.#load(url, init);
      init = {};
      const location = response.headers.get("location");
      if (location !== null) {
        url = new URL(location, url);
        if (url.href.startsWith(REDIRECT_URI)) return url.searchParams;
      } else {
        [url, init] = Browser.#form(await response.text(), url);
      }
    }
    throw new Error("the login led nowhere");
  }

  static #form(page, url) {
    const action = page.match(/<form[^>]*action="([^"]+)"/);
    if (action === null) throw new Error(`no form at ${url}: ${page.slice(0, 300)}`);
    const hidden = page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g);
    const body = new URLSearchParams([...hidden].map(([, name, value]) => [name, value]));
    if (page.includes('name="login"')) {
      body.set("login", "alice");
      body.set("password", "any");
    }
    return [new URL(action[1].replaceAll("&amp;", "&"), url), { method: "POST", body }];
  }
}

// Where the client keeps its registration and tokens; the SDK drives it.
class Memory {
  redirectUrl = REDIRECT_URI;
  clientMetadata = {
    client_name: "interop",
    redirect_uris: [REDIRECT_URI],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: "native",
  };
  #state = {};

  state = () => (this.#state.state = crypto.randomUUID());
  clientInformation = () => this.#state.client;
  saveClientInformation = (client) => void (this.#state.client = client);
  tokens = () => this.#state.tokens;
  saveTokens = (tokens) => void (this.#state.tokens = tokens);
  codeVerifier = () => this.#state.verifier;
  saveCodeVerifier = (verifier) => void (this.#state.verifier = verifier);
  discoveryState = () => this.#state.discovery;
  saveDiscoveryState = (discovery) => void (this.#state.discovery = discovery);
  redirectToAuthorization = async (url) => {
    const landed = await new Browser().open(url);
    if (landed.get("state") !== this.#state.state) throw new Error("a foreign state came back");
    this.landed = landed;
  };
}

// RFC 7009, at the endpoint the client discovered.
async function revoke(memory) {
  const endpoint = memory.discoveryState().authorizationServerMetadata.revocation_endpoint;
  const body = new URLSearchParams({
    token: memory.tokens().access_token,
    client_id: memory.clientInformation().client_id,
  });
  const response = await fetch(endpoint, { method: "POST", body });
  say({ revoked: response.status });
}

async function connect(memory, { url, transport, mode }) {
  const open = () =>
    transport === "sse"
      ? new SSEClientTransport(new URL(url), { authProvider: memory })
      : new StreamableHTTPClientTransport(new URL(url), { authProvider: memory });
  const client = () =>
    new Client({ name: "interop", version: "1.0.0" }, { versionNegotiation: { mode } });
  const first = open();
  try {
    await client().connect(first);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await first.finishAuth(memory.landed);
    const second = client();
    const last = open();
    await second.connect(last);
    return [second, last];
  }
  throw new Error("no authorization was asked for");
}

const { values } = parseArgs({
  options: {
    url: { type: "string" },
    transport: { type: "string" },
    mode: { type: "string", default: "auto" },
  },
});
const memory = new Memory();
const [client, connection] = await connect(memory, values);
const { tools } = await client.listTools();
say({ tools: tools.map(({ name }) => name), version: client.getNegotiatedProtocolVersion?.() });
for await (const line of createInterface({ input: process.stdin })) {
  const [, command, rest] = line.match(/^(\S*) ?(.*)$/);
  if (command === "call") {
    const call = () => client.callTool({ name: "echo", arguments: { message: rest } });
    // What a host does when more consent is needed: let the user give it, then try again.
    const result = await call().catch(async (error) => {
      if (!(error instanceof UnauthorizedError)) throw error;
      await connection.finishAuth(memory.landed);
      return call();
    });
    say({ text: result.content[0].text, failed: Boolean(result.isError) });
  } else if (command === "token") {
    say({ token: memory.tokens().access_token, scope: memory.tokens().scope });
  } else if (command === "revoke") {
    await revoke(memory);
  } else if (command === "quit") break;
}
await client.close();
process.exit(0);
