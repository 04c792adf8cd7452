# shellcheck shell=bash disable=SC2154
# The manifests: every base and overlay rendered, validated against the API's schema, judged by
# manifests.py, and its configuration checked by the binary. Nothing is applied to a cluster.
#
# Wants kubectl, kubernetes-validate (PyPI) and its Python.

# Against the oldest version that the manifests are for, and the newest. The schemas know nothing of the
# Prometheus operator's kinds; manifests.py does.
validate() {
    local said version
    for version in 1.30 1.37; do
        said=$(kubernetes-validate --strict --quiet --kubernetes-version "$version" "$1" 2>&1) || fail "$said"
        said=$(grep -vE "Couldn't find schema for kind (ServiceMonitor|PodMonitor|PrometheusRule) " <<<"$said" || true)
        [ -z "$said" ] || fail "$said"
    done
}

judge() {
    local rendered=$1 out=$2
    validate "$rendered"
    python3 "$here/checks/manifests.py" "$rendered" "$out" || fail "$rendered"
    put_secrets "$out"
    check_configuration "$out/gatehouse.yaml"
}

# Each of these changes has to be noticed.
check_that_judge_bites() {
    local overlay change
    while read -r overlay change; do
        sed "$change" "$work/$overlay.yaml" >"$work/changed.yaml"
        ! cmp --silent "$work/$overlay.yaml" "$work/changed.yaml" || fail "$change changes nothing"
        refused "$change" python3 "$here/checks/manifests.py" "$work/changed.yaml" "$work/changed"
    done <<'CHANGES'
gateway-tls s/readOnlyRootFilesystem: true/readOnlyRootFilesystem: false/
gateway-tls s/runAsNonRoot: true/runAsNonRoot: false/
gateway-tls s/automountServiceAccountToken: false/automountServiceAccountToken: true/
gateway-tls s/terminationGracePeriodSeconds: 45/terminationGracePeriodSeconds: 39/
gateway-tls s/drain_timeout: 30s/drain_timeout: 36s/
gateway-tls s/minReplicas: 2/minReplicas: 1/
gateway-tls s/targetPort: https/targetPort: http/
gateway-tls s/targetPort: admin/targetPort: metrics/
gateway-tls s/targetPort: https/targetPort: admin/
gateway-tls 0,/component: admin/s//component: other/
gateway-tls s/jobLabel:/jobLabels:/
gateway-tls 0,/- from:/s//- with:/
gateway-tls s/kind: PodDisruptionBudget/kind: PodDisruptionBudge/
sidecar s/replacement: gatehouse/replacement: notes/
sidecar 0,/- from:/s//- with:/
sidecar /podMetricsEndpoints/,/port:/s/port: admin/port: metrics/
sidecar s/podMetricsEndpoints/endpoints/
CHANGES
}

# What is applied without filling it in has to stay down.
check_placeholders() {
    local base=$1
    kubectl kustomize "$here/kubernetes/base/$base" | python3 -c '
import sys, yaml
for each in yaml.safe_load_all(sys.stdin):
    for name, text in (each.get("stringData") or {}).items():
        open(f"{sys.argv[1]}/{name}", "w").write(text)' "$work/base-$base"
    refused "the placeholder of the session key" "$binary" check -c "$work/base-$base/gatehouse.yaml"
}

check_kubernetes() {
    local folder name
    for folder in "$here"/kubernetes/base/* "$here"/kubernetes/overlays/*; do
        name=$(basename "$folder")
        [[ $folder != */base/* ]] || name=base-$name
        step "manifests of ${folder#"$here/"}"
        kubectl kustomize "$folder" >"$work/$name.yaml"
        judge "$work/$name.yaml" "$work/$name"
        if [[ $folder == */overlays/* ]] && grep -q '^kind: Secret$' "$work/$name.yaml"; then
            fail "a Secret would be written over"
        fi
    done
    check_placeholders sidecar
    check_placeholders gateway
    check_that_judge_bites
}
