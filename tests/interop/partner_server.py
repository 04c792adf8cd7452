"""A second authorization server, of other make: Authlib on Flask, on loopback.

Client credentials with a `resource` (RFC 8707), opaque or JWT access tokens (RFC 9068) as the client
has it, introspection (RFC 7662) for the client `gatehouse` alone, metadata and a key set.

    python partner_server.py --port PORT

GET /test/counts says how often introspection and the key set were asked for. GATEWAY_SECRET is the
secret of the client `gatehouse`, TESTER_SECRET that of `tester` and `tester-jwt`.
"""

import argparse
import logging
import os
import time

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, jsonify, request
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

LIFETIME = 600


class Client(ClientMixin):
    def __init__(self, client_id, secret, grants):
        self.client_id, self.secret, self.grants = client_id, secret, grants

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return scope

    def check_client_secret(self, secret):
        return secret == self.secret

    def check_endpoint_auth_method(self, method, _endpoint):
        return method == "client_secret_basic"

    def check_grant_type(self, grant):
        return grant in self.grants


class Jwts(JWTBearerTokenGenerator):
    def __init__(self, issuer, key):
        super().__init__(issuer, expires_generator=LIFETIME)
        self.key = key

    def get_jwks(self):
        return self.key

    def get_audiences(self, _client, _user, _scope):
        return request.form["resource"]


class OpaqueToken:
    """What is remembered of a token as it is issued."""

    def __init__(self, issuer, resource, client_id, scope):
        now = int(time.time())
        self.facts = {"iss": issuer, "aud": [resource], "client_id": client_id, "sub": client_id}
        self.facts |= {"scope": scope, "token_type": "Bearer", "iat": now, "exp": now + LIFETIME}

    def is_expired(self):
        return self.facts["exp"] <= time.time()

    @staticmethod
    def is_revoked():
        return False


class Introspection(IntrospectionEndpoint):
    """Knows the opaque tokens; a JWT is inactive here."""

    def query_token(self, token, _hint):
        return self.server.issued.get(token)

    def check_permission(self, _token, client, _request):
        return client.client_id == "gatehouse"

    def introspect_token(self, token):
        return {"active": True, **token.facts}


class PartnerServer(AuthorizationServer):
    def __init__(self, app, issuer, key, clients):
        self.issuer, self.clients, self.issued = issuer, clients, {}
        super().__init__(app, clients.get, self.remember)
        self.opaque, self.jwts = BearerTokenGenerator(opaque_token, expires_generator=LIFETIME), Jwts(issuer, key)
        self.register_token_generator("default", self.generate)
        self.register_grant(ClientCredentialsGrant)
        self.register_endpoint(Introspection)

    def generate(self, grant_type, client, **others):
        generator = self.jwts if client.client_id == "tester-jwt" else self.opaque
        return generator(grant_type, client, **others)

    def remember(self, token, grant):
        if grant.client.client_id != "tester-jwt":
            facts = (self.issuer, request.form["resource"], grant.client.client_id, token["scope"])
            self.issued[token["access_token"]] = OpaqueToken(*facts)


def opaque_token(**_):
    return f"partner-{os.urandom(24).hex()}"


def application(issuer):
    app = Flask("partner")
    # The same key identifier as the other server's: the issuer tells them apart, nothing else does.
    key = RSAKey.generate_key(2048, {"kid": "interop", "use": "sig", "alg": "RS256"})
    gateway, tester = os.environ["GATEWAY_SECRET"], os.environ["TESTER_SECRET"]
    clients = [
        Client("gatehouse", gateway, []),
        Client("tester", tester, ["client_credentials"]),
        Client("tester-jwt", tester, ["client_credentials"]),
    ]
    server = PartnerServer(app, issuer, key, {client.client_id: client for client in clients})
    counts = {"introspections": 0, "key_sets": 0}

    @app.get("/.well-known/oauth-authorization-server")
    def metadata():
        return jsonify(
            issuer=issuer,
            token_endpoint=f"{issuer}/token",
            introspection_endpoint=f"{issuer}/introspect",
            jwks_uri=f"{issuer}/keys",
            grant_types_supported=["client_credentials"],
            response_types_supported=[],
        )

    @app.post("/token")
    def token():
        return server.create_token_response()

    @app.post("/introspect")
    def introspect():
        counts["introspections"] += 1
        return server.create_endpoint_response("introspection")

    @app.get("/keys")
    def keys():
        counts["key_sets"] += 1
        return jsonify(keys=[key.as_dict(private=False)])

    @app.get("/test/counts")
    def tell_counts():
        return jsonify(counts)

    return app


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    make_server("127.0.0.1", port, application(f"http://127.0.0.1:{port}"), threaded=True).serve_forever()


if __name__ == "__main__":
    main()
