#!/usr/bin/env python3
"""Holds the parts of compose.yaml against each other: compose.py RESOLVED GATEHOUSE REALM

RESOLVED is what `docker-compose config --format json` makes of the file. Keycloak and Gatehouse have to agree
on issuer, client, scopes and audiences, and nothing but Gatehouse may reach the MCP server.
"""

import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

import yaml

problems = []


def need(condition, text):
    if not condition:
        problems.append(text)


def audiences(scope):
    """The resources and the clients that a scope's mappers put into `aud`."""
    configs = [mapper["config"] for mapper in scope.get("protocolMappers", [])
               if mapper["protocolMapper"] == "oidc-audience-mapper"]
    need(all(each["introspection.token.claim"] == "true" for each in configs), f"{scope['name']}: not introspected")
    return ({each.get("included.custom.audience") for each in configs},
            {each.get("included.client.audience") for each in configs})


def scopes_of(route):
    yield from route["required_scopes"]
    for demand in route.get("tools", {}).values():
        yield from demand


def check_realm(server, routes, public_url, realm, secret):
    known = {scope["name"]: scope for scope in realm["clientScopes"]}
    client = next(each for each in realm["clients"] if each["clientId"] == server["client"]["id"])
    need(client["secret"] == secret and not client["publicClient"], "the introspecting client's secret")
    for name, route in routes.items():
        for scope in scopes_of(route):
            resources, clients = audiences(known.get(scope, {"name": scope}))
            need(public_url + route["path"] in resources, f"{scope}: no mapper for the resource of {name}")
            need(client["clientId"] in clients, f"{scope}: no mapper for the introspecting client")
            for each in realm["clients"]:
                if each["publicClient"]:
                    need(scope in each["optionalClientScopes"], f"{each['clientId']}: may not ask for {scope}")


def check_services(services, networks, server, routes):
    for name, service in services.items():
        for port in service.get("ports", []):
            need(port["host_ip"] == "127.0.0.1", f"{name}: port {port['published']} is published to everybody")
    keycloak = services[urlsplit(server["metadata_url"]).hostname]
    need(set(keycloak["networks"]) & set(services["gatehouse"]["networks"]), "Keycloak is out of reach")
    port = urlsplit(server["metadata_url"]).port
    need(keycloak["environment"]["KC_HTTP_PORT"] == str(port), "Keycloak's port")
    for route in routes.values():
        upstream = services[urlsplit(route["upstream"]).hostname]
        need(not upstream.get("ports"), "the MCP server's port is published")
        need(all(networks[each].get("internal") for each in upstream["networks"]), "the MCP server's network is open")
        beside = {name for name, each in services.items() if set(each["networks"]) & set(upstream["networks"])}
        need(len(beside) == 2 and "gatehouse" in beside, f"the MCP server is reachable for {beside}")
    gatehouse = services["gatehouse"]
    need(gatehouse["read_only"] and gatehouse["cap_drop"] == ["ALL"], "gatehouse is not confined")
    return keycloak


def main():
    resolved, gatehouse, realm = map(Path, sys.argv[1:])
    resolved, realm = json.loads(resolved.read_text()), json.loads(realm.read_text())
    settings = yaml.safe_load(gatehouse.read_text())
    [server] = settings["authorization_servers"].values()
    services, routes = resolved["services"], settings["routes"]
    keycloak = check_services(services, resolved["networks"], server, routes)
    issuer = f"{keycloak['environment']['KC_HOSTNAME']}/realms/{realm['realm']}"
    need(server["issuer"] == issuer, f"Keycloak calls itself {issuer}")
    secret = services["gatehouse"]["environment"]["INTROSPECTION_SECRET"]
    check_realm(server, routes, settings["public_url"], realm, secret)
    if problems:
        raise SystemExit("\n".join(problems))


main()
