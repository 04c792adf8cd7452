#!/usr/bin/env python3
"""Judges rendered Kubernetes objects together, as the API's schema cannot: manifests.py RENDERED OUT

1. Pods are what Pod Security calls restricted, with a read-only root and no token of the API.
2. Gatehouse has time to drain: terminationGracePeriodSeconds is more than preStop and `listen.drain_timeout`.
3. Selectors, ports, accounts and volumes name what is there; metrics are on no Service that is published,
   and no NetworkPolicy lets everybody reach them.
4. A scaled Deployment has two replicas or more, a disruption budget and topology spread.
5. Kinds of the Prometheus operator follow crds.json, of which the API's schema knows nothing.

Writes each gatehouse.yaml, its folders replaced by OUT, to OUT.
"""

import json
import sys
from pathlib import Path

import jsonschema
import yaml

SPARE_SECONDS = 5
problems = []


def need(condition, text):
    if not condition:
        problems.append(text)


def seconds(duration):
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    unit = next(unit for unit in units if duration.endswith(unit) and duration[:-len(unit)].isdigit())
    return int(duration[:-len(unit)]) * units[unit]


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


class Objects:
    """What is applied together."""

    def __init__(self, documents):
        self.all = [document for document in documents if document]

    def of(self, kind):
        return [each for each in self.all if each["kind"] == kind]

    def named(self, kind, name):
        return next((each for each in self.of(kind) if each["metadata"]["name"] == name), None)

    def selected_services(self, monitor):
        selector = monitor["spec"]["selector"]["matchLabels"]
        return [each for each in self.of("Service") if matches(selector, each["metadata"]["labels"])]

    def pods(self):
        return [(each, each["spec"]["template"]) for each in self.of("Deployment")]

    def selected(self, selector):
        return [template for _, template in self.pods() if matches(selector, template["metadata"]["labels"])]


def port_names(template):
    return {port["name"] for container in template["spec"]["containers"] for port in container.get("ports", [])}


def check_container(container, name):
    context = container["securityContext"]
    need(context.get("allowPrivilegeEscalation") is False, f"{name}: privileges may be escalated")
    need(context.get("readOnlyRootFilesystem") is True, f"{name}: the root is writable")
    need(context.get("capabilities") == {"drop": ["ALL"]}, f"{name}: capabilities are left")
    resources = container["resources"]
    need({"cpu", "memory"} <= set(resources["requests"]) and "memory" in resources["limits"], f"{name}: resources")
    need("preStop" in container["lifecycle"], f"{name}: no preStop")


def check_pod(objects, name, template):
    spec = template["spec"]
    context = spec["securityContext"]
    need(context.get("runAsNonRoot") is True and context.get("runAsUser", 0) > 0, f"{name}: may run as root")
    need(context.get("seccompProfile") == {"type": "RuntimeDefault"}, f"{name}: no seccomp profile")
    need(spec.get("automountServiceAccountToken") is False, f"{name}: the account's token is mounted")
    account = objects.named("ServiceAccount", spec.get("serviceAccountName"))
    need(account and account.get("automountServiceAccountToken") is False, f"{name}: ServiceAccount")
    for container in spec["containers"]:
        check_container(container, f"{name}/{container['name']}")
        volumes = {volume["name"] for volume in spec["volumes"]}
        mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
        need(mounts <= volumes, f"{name}: no volume {mounts - volumes}")


def configuration(objects, template):
    maps = [volume["configMap"]["name"] for volume in template["spec"]["volumes"] if "configMap" in volume]
    found = [objects.named("ConfigMap", name) for name in maps]
    return next((each["data"]["gatehouse.yaml"] for each in found if each), None)


def check_gatehouse(objects, name, template):
    spec = template["spec"]
    text = configuration(objects, template)
    need(text, f"{name}: no ConfigMap with gatehouse.yaml")
    container = next(each for each in spec["containers"] if each["name"] == "gatehouse")
    for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        need(container.get(probe, {}).get("httpGet") == {"path": path, "port": "admin"}, f"{name}: {probe}")
    if text:
        drain = seconds(yaml.safe_load(text)["listen"]["drain_timeout"])
        stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        needed = stop + drain + SPARE_SECONDS
        need(spec["terminationGracePeriodSeconds"] >= needed, f"{name}: less than {needed:.0f} s to end")
        others = [each["lifecycle"]["preStop"]["sleep"]["seconds"] for each in spec["containers"] if each != container]
        need(all(each >= stop + drain for each in others), f"{name}: the MCP server ends before Gatehouse has drained")
    return text


def check_scaling(objects):
    for scaler in objects.of("HorizontalPodAutoscaler"):
        name = scaler["spec"]["scaleTargetRef"]["name"]
        deployment = objects.named("Deployment", name)
        need(deployment and "replicas" not in deployment["spec"], f"{name}: scaled, or not there")
        need(scaler["spec"]["minReplicas"] >= 2, f"{name}: fewer than two replicas")
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        budgets = objects.of("PodDisruptionBudget")
        need(any(matches(each["spec"]["selector"]["matchLabels"], labels) for each in budgets), f"{name}: no budget")
        for spread in deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", [{}]):
            need(matches(spread.get("labelSelector", {}).get("matchLabels", {"": ""}), labels), f"{name}: no spread")


def check_network(objects):
    for service in objects.of("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        pods = objects.selected(spec["selector"])
        need(pods, f"Service {name} selects nothing")
        ports = {port["targetPort"] for port in spec["ports"]}
        need(all(ports <= port_names(each) for each in pods), f"Service {name}: no port {ports}")
        published = spec.get("type", "ClusterIP") != "ClusterIP"
        need(not (published and "admin" in ports), f"Service {name} publishes the metrics")
    for policy in objects.of("NetworkPolicy"):
        for template in objects.selected(policy["spec"]["podSelector"]["matchLabels"]):
            rules = [port["port"] for rule in policy["spec"]["ingress"] for port in rule.get("ports", [])]
            need(set(rules) <= port_names(template), f"NetworkPolicy {policy['metadata']['name']}: ports {rules}")
            opened = [rule for rule in policy["spec"]["ingress"] if {"port": "admin"} in rule.get("ports", [])]
            need(all(rule.get("from") for rule in opened), "NetworkPolicy: anybody reaches the port admin")
    for template in (template for _, template in objects.pods()):
        selectors = [each["spec"]["podSelector"]["matchLabels"] for each in objects.of("NetworkPolicy")]
        labels = template["metadata"]["labels"]
        need(any(matches(each, labels) for each in selectors), f"no NetworkPolicy for {labels}")
    for ingress in objects.of("Ingress"):
        for path in (path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]):
            backend = path["backend"]["service"]
            service = objects.named("Service", backend["name"]) or {"spec": {"ports": []}}
            names = {port["name"] for port in service["spec"]["ports"]}
            need(backend["port"]["name"] in names - {"admin"}, f"Ingress: {backend}")


def check_monitoring(objects):
    schemas = json.loads(Path(__file__).with_name("crds.json").read_text())
    for kind, schema in schemas.items():
        for each in objects.of(kind):
            for error in jsonschema.Draft202012Validator(schema).iter_errors(each):
                problems.append(f"{kind}: {error.json_path}: {error.message}")
    for monitor in objects.of("ServiceMonitor"):
        services = objects.selected_services(monitor)
        need(len(services) == 1, f"ServiceMonitor selects {len(services)} Services")
        ports = {port["name"] for each in services for port in each["spec"]["ports"]}
        need({each["port"] for each in monitor["spec"]["endpoints"]} <= ports, "ServiceMonitor: no such port")
    for monitor in objects.of("PodMonitor"):
        pods = objects.selected(monitor["spec"]["selector"]["matchLabels"])
        need(pods, "PodMonitor selects nothing")
        ports = {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]}
        need(all(ports <= port_names(each) for each in pods), "PodMonitor: no such port")
    for kind, endpoints in (("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")):
        for monitor in objects.of(kind):
            names = [each["replacement"] for endpoint in monitor["spec"][endpoints]
                     for each in endpoint.get("relabelings", []) if each["targetLabel"] == "job"]
            label = monitor["spec"].get("jobLabel")
            services = objects.selected_services(monitor) if label else []
            names += [each["metadata"]["labels"][label] for each in services]
            need(names and set(names) == {"gatehouse"}, f"{kind}: the job is not called gatehouse but {names}")


def main():
    rendered, out = map(Path, sys.argv[1:])
    objects = Objects(yaml.safe_load_all(rendered.read_text()))
    out.mkdir(parents=True, exist_ok=True)
    need(objects.pods(), "no pods at all")
    for deployment, template in objects.pods():
        name = deployment["metadata"]["name"]
        check_pod(objects, name, template)
        if text := check_gatehouse(objects, name, template):
            for folder in ("/run/secrets/gatehouse-tls", "/run/secrets/gatehouse"):
                text = text.replace(folder, str(out))
            (out / "gatehouse.yaml").write_text(text)
    check_scaling(objects)
    check_network(objects)
    check_monitoring(objects)
    if problems:
        raise SystemExit("\n".join(f"{rendered.name}: {problem}" for problem in problems))


main()
