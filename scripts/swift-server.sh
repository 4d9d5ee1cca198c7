#!/usr/bin/env bash
# A real S3 server of the other kind on loopback for tests: OpenStack Swift with its s3api, the one that lacks conditional
# writes and says so (501), answers unknown checksums with 501, and wants its deletes one by one.
# shellcheck disable=SC1091,SC2034 # what is set here is for server-life.sh, which shellcheck reads on its own
set -euo pipefail
SERVER_NAME=swift-server
PACKAGES=(python3-swift)
PROGRAMS=(/usr/bin/python3)
. "$(dirname "$0")/server-life.sh"

installed() { /usr/bin/python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("swift") is None)' 2>/dev/null; }

launch() {
  local folder=$1 ports=()
  for _ in 1 2 3 4; do free_port; ports+=("$chosen_port"); done
  [ -z "${S3_PORT:-}" ] || ports[0]=$S3_PORT
  /usr/bin/python3 "$(dirname "$0")/swift-server.py" "$folder" "${ports[@]}" >"$folder/log/start.log" 2>&1 || return 1
  local port
  for port in "${ports[@]}"; do wait_for 60 answers "$port" || return 1; done
  printf '{"endpoint":"http://127.0.0.1:%s","region":"us-east-1","accessKeyId":"test:livestow","secretAccessKey":"livestow-test-secret"}\n' \
    "${ports[0]}" >"$folder/server.json"
}

main "$@"
