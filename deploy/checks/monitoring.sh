# shellcheck shell=bash disable=SC2154
# Dashboard and alerts: a running gateway's metrics are linted, every metric and label that is named
# exists, every query parses, and the alerts fire when they should. The dashboard is not shown by a Grafana.
#
# Wants promtool (Debian prometheus), openssl, and a Python with PyYAML.

judge_names() {
    python3 "$here/checks/metrics.py" "$here/../src" "$work/metrics.txt" "$1" "$2" \
        "$here/prometheus/tests.yaml" "$work/queries.yaml"
}

# A name that is no longer there has to be noticed, in the dashboard and in the alerts.
check_that_stale_names_fail() {
    sed 's/gatehouse_connections/gatehouse_connexions/' "$here/grafana/dashboard.json" >"$work/stale.json"
    refused "a stale name in the dashboard" judge_names "$work/stale.json" "$here/prometheus/alerts.yaml"
    sed 's/{outcome!="changed"}/{result!="changed"}/' "$here/prometheus/alerts.yaml" >"$work/stale.yaml"
    refused "a stale label in the alerts" judge_names "$here/grafana/dashboard.json" "$work/stale.yaml"
    sed 's/_tls_reloads_total/_tls_renewals_total/' "$here/prometheus/alerts.yaml" >"$work/stale.yaml"
    refused "a stale name in the alerts" judge_names "$here/grafana/dashboard.json" "$work/stale.yaml"
}

check_monitoring() {
    step "metrics of a gateway with traffic"
    python3 "$here/checks/traffic.py" "$binary" "$work/metrics.txt"
    promtool check metrics <"$work/metrics.txt"
    step "dashboard and alerts"
    judge_names "$here/grafana/dashboard.json" "$here/prometheus/alerts.yaml"
    promtool check rules "$work/queries.yaml" "$here/prometheus/alerts.yaml" >"$work/said" || fail "$(cat "$work/said")"
    promtool test rules "$here/prometheus/tests.yaml" >"$work/said" 2>&1 || fail "$(cat "$work/said")"
    check_that_stale_names_fail
}
