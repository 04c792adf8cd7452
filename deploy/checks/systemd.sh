# shellcheck shell=bash disable=SC2154
# The unit: understood by systemd without a warning, and as confined as it was. It is not started here:
# no systemd runs. checks/image.sh runs the binary under the unit's filter of system calls.
#
# Wants systemd-analyze 250 or later.

check_systemd() {
    if ! command -v systemd-analyze >/dev/null; then
        step "systemd-analyze is not here: the unit is not checked"
        return
    fi
    local unit=$here/systemd/gatehouse.service said
    # It has to find the programs where the unit has them.
    mkdir "$work/units"
    sed "s#/usr/local/bin/gatehouse#$binary#" "$unit" >"$work/units/gatehouse.service"
    said=$(systemd-analyze verify --recursive-errors=no "$work/units/gatehouse.service" 2>&1) || fail "$said"
    [ -z "$said" ] || fail "$said"
    sed -i 's/^ProtectHome=yes$/ProtectHomes=yes/' "$work/units/gatehouse.service"
    said=$(systemd-analyze verify --recursive-errors=no "$work/units/gatehouse.service" 2>&1 || true)
    grep -q 'ProtectHomes' <<<"$said" || fail "an unknown key is accepted"
    # From 0, confined, to 10, not at all; 15 stands for 1.5.
    systemd-analyze security --offline=true --threshold=15 --no-pager "$unit" >"$work/said" ||
        fail "$(cat "$work/said")"
    tail -n 1 "$work/said"
}
