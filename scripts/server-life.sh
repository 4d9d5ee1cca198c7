# shellcheck shell=bash disable=SC2034 # chosen_port is for those who source this
# The life of a real server for tests, whatever it is: packages, free ports, waiting, ending. Sourced by the scripts that
# know one server each; they define SERVER_NAME, PACKAGES, PROGRAMS and the function launch FOLDER, which leaves one file
# NAME.pid per process in FOLDER/run and writes what a client needs as JSON to FOLDER/server.json.

say() { printf '%s: %s\n' "$SERVER_NAME" "$*" >&2; }
fail() { say "$*"; exit 1; }

installed() {
  local program
  for program in "${PROGRAMS[@]}"; do command -v "$program" >/dev/null || return 1; done
}

# Installs what is missing where nobody has to be asked (root, or CI with sudo); says the one command otherwise.
install_packages() {
  installed && return 0
  local apt=(apt-get install -y -q --no-install-recommends "${PACKAGES[@]}")
  command -v apt-get >/dev/null || fail "needs ${PACKAGES[*]} (Debian's names); or name any other S3 server in LIVESTOW_TEST_S3"
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    { [ "${CI:-}" = true ] && sudo -n true 2>/dev/null; } || fail "run this once: sudo apt-get update && sudo ${apt[*]}"
    sudo=(sudo -n)
  fi
  say "installing ${PACKAGES[*]}"
  # Services that a package brings are not to be started: a policy that says so, only while we install.
  local policy=/usr/sbin/policy-rc.d own_policy=
  if [ ! -e $policy ]; then
    own_policy=1
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy >/dev/null && "${sudo[@]}" chmod 755 $policy
  fi
  local status=0
  { "${sudo[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update \
    && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive "${apt[@]}" -o DPkg::Lock::Timeout=300; } >&2 || status=$?
  [ -z "$own_policy" ] || "${sudo[@]}" rm -f $policy
  { [ $status = 0 ] && installed; } || fail "could not install ${PACKAGES[*]}"
}

# A free port outside the range from which the kernel picks ports for outgoing connections.
free_port() {
  local port
  for _ in $(seq 100); do
    port=$((RANDOM % 12000 + 20000))
    case " $taken_ports " in *" $port "*) continue ;; esac
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      taken_ports="$taken_ports $port"
      chosen_port=$port
      return 0
    fi
  done
  fail 'found no free port'
}
taken_ports=

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
  local until=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || return 1
    sleep 0.05
  done
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Which of the processes that the folder names are alive (and are ours: a pid is reused some day).
alive() {
  local file pid
  for file in "$1"/run/*.pid; do
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    grep -qsaF "$1" "/proc/$pid/cmdline" "/proc/$pid/environ" && echo "$pid"
  done
  return 0
}

stop() {
  local pid
  # Nothing in there is worth a clean end.
  for pid in $(alive "$1"); do kill -KILL "$pid" 2>/dev/null || true; done
  wait_for 10 gone "$1" || fail "some process of $1 does not end"
  rm -rf "$1"
}
gone() { [ -z "$(alive "$1")" ]; }

start() {
  if [ -s "$1/server.json" ] && [ -n "$(alive "$1")" ]; then return 0; fi
  stop "$1"
  mkdir -p "$1/run" "$1/log"
  if ! launch "$1"; then
    tail -n 30 "$1"/log/* >&2 || true
    stop "$1"
    fail 'did not start'
  fi
}

usage() {
  cat >&2 <<U
usage: ${0##*/} install          installs what it needs, or says how
       ${0##*/} start [FOLDER]   starts it (unless it runs), prints how to reach it as JSON
       ${0##*/} stop [FOLDER]    ends it; its data are gone
       ${0##*/} run FOLDER       starts it, prints JSON, and ends it when standard input ends
U
  exit 2
}

main() {
  # Not local: what is trapped at the exit runs after this function is left.
  folder=${2:-${TMPDIR:-/tmp}/livestow-$SERVER_NAME}
  case ${1:-} in
    install) install_packages ;;
    stop) stop "$folder" ;;
    start)
      install_packages
      start "$folder"
      cat "$folder/server.json"
      ;;
    run)
      [ -n "${2:-}" ] || usage
      install_packages
      # Whoever started us may die of anything; its end of the pipe closes with it.
      trap 'stop "$folder"' EXIT
      trap 'exit 130' INT TERM HUP
      start "$folder"
      cat "$folder/server.json"
      exec 1>&-
      cat >/dev/null
      ;;
    *) usage ;;
  esac
}
