# shellcheck shell=bash disable=SC2154
# The chart: linted, rendered with each file of checks/values, validated and judged like the manifests;
# bad values are refused by its schema. It is not installed anywhere.
#
# Wants helm, and what checks/kubernetes.sh wants.

# shellcheck source=deploy/checks/kubernetes.sh
. "$here/checks/kubernetes.sh"

chart=$here/helm/gatehouse

# Links within the chart (alerts, dashboard) are meant to be followed: no need to say so each time.
quietly() {
    "$@" 2> >(grep -v 'found symbolic link' >&2)
}

render() {
    local values=$1
    shift
    quietly helm template gateway "$chart" --namespace mcp --values "$here/checks/values/$values.yaml" "$@"
}

check_values_schema() {
    local bad
    refused "a chart without values" helm template gateway "$chart"
    while read -r bad; do
        refused "$bad" helm template gateway "$chart" --values "$here/checks/values/plain.yaml" --set "$bad"
        grep -q "don't meet the specifications of the schema" "$work/refused" || fail "$bad: $(cat "$work/refused")"
    done <<'VALUES'
replicas=3
secretName=
secretName=UPPER
config.public_url=http://mcp.example.com
config.listen.drain_timeout=10m
config.routes=null
drain.spareSeconds=0
drain.timeoutSeconds=30s
autoscaling.minReplicas=two
image.digest=latest
service.type=ExternalName
env[0].name=GATEHOUSE_LISTEN_ADDRESS
VALUES
}

# Ports are not for an Ingress; what values.yaml lists is all that the schema knows, but Helm's own.
check_names() {
    render plain --set config.public_url=https://mcp.example.com:8443 >"$work/port.yaml"
    grep -q '^    - host: "mcp.example.com"$' "$work/port.yaml" || fail "the host of the Ingress"
    render plain --set fullnameOverride=other >"$work/other.yaml"
    grep -q '^  name: other$' "$work/other.yaml" || fail "fullnameOverride"
    python3 -c '
import json, sys, yaml
values, schema = yaml.safe_load(open(sys.argv[1])), json.load(open(sys.argv[2]))
missing = set(schema["properties"]) - {"global"} ^ set(values)
sys.exit(f"values.yaml and its schema differ: {missing}" if missing else 0)' \
        "$chart/values.yaml" "$chart/values.schema.json" || fail "values.yaml"
}

check_helm() {
    local values
    for values in plain tls; do
        step "chart with values/$values.yaml"
        quietly helm lint --strict --quiet "$chart" --values "$here/checks/values/$values.yaml"
        render "$values" >"$work/helm-$values.yaml"
        judge "$work/helm-$values.yaml" "$work/helm-$values"
        quietly helm install gateway "$chart" --dry-run=client --values "$here/checks/values/$values.yaml" \
            >"$work/install" || fail "NOTES.txt"
        grep -q '^  https://mcp.example.com/notes  (notes)$' "$work/install" || fail "NOTES.txt"
    done
    check_values_schema
    check_names
    quietly helm package "$chart" --destination "$work" >/dev/null
    # Not by a pipe: whoever reads no further would end what writes, and that counts as failed.
    tar -tzf "$work"/gatehouse-*.tgz >"$work/packaged"
    grep -qx gatehouse/files/alerts.yaml "$work/packaged" || fail "the package has no alerts"
}
