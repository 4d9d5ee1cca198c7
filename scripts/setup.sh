#!/bin/sh
# Brings a fresh checkout into a state in which it can work. Idempotent, quick when there is nothing to do, safe to run
# twice at once. Everything that it says goes to standard error.
#
#   scripts/setup.sh node      dependencies, and through them the Node version that the project needs
#   scripts/setup.sh ffmpeg    the above, and ffmpeg with ffprobe
#   scripts/setup.sh test      the above, and what only the tests need: real S3 servers, a browser,
#                              a clock that can be set for one process
#
# System packages are installed only as root on Debian or Ubuntu, or in CI (CI=true) where sudo asks for no password.
# Nobody else's machine is changed: the one command to run is printed instead, and the exit code is 1.
set -eu

root=$(cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"

say() { printf '%s\n' "livestow set-up: $*" >&2; }
fail() {
  say "$@"
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Runs a function of this file while no other set-up of this checkout runs.
alone() {
  mkdir -p .cache
  if has flock; then
    (
      flock -n 9 || { say 'waiting for another set-up of this checkout' && flock 9; }
      "$@" 9>&-
    ) 9>.cache/setup.lock
    return
  fi
  lock=.cache/setup.lock.d
  until mkdir "$lock" 2>/dev/null; do
    owner=$(cat "$lock/pid" 2>/dev/null || true)
    if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then rm -rf "$lock"; else sleep 1; fi
  done
  trap 'rm -rf "$lock"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  echo $$ >"$lock/pid"
  "$@"
  rm -rf "$lock"
  trap - EXIT INT TERM
}

# --- Node and the dependencies -----------------------------------------------------------------------------------

own_node=node_modules/.bin/node
wanted_major=24

# npm writes its hidden lock file last, so it is there and the newer one only after an install that was completed.
dependencies_current() {
  [ -x "$own_node" ] && [ -f node_modules/.package-lock.json ] &&
    [ -z "$(find package-lock.json -newer node_modules/.package-lock.json)" ]
}

is_wanted_node() { [ "$("$1" -p 'process.versions.node.split(".")[0] >= '"$wanted_major" 2>/dev/null || true)" = true ]; }

install_dependencies() {
  if dependencies_current; then return; fi
  has npm || fail "npm was not found; install Node.js 20 or newer, which brings it: https://nodejs.org"
  say "installing the dependencies (npm ci)"
  npm ci --no-audit --no-fund --loglevel=error >&2 ||
    fail "npm ci failed; its own words are above. Mend that and run the same command again."
  settle_node || { rm -f node_modules/.package-lock.json; exit 1; }
}

# The package `node` brings the Node that the project needs. Where its binary does not run (musl) or where install
# scripts are switched off, a system Node that is new enough takes its place.
settle_node() {
  if is_wanted_node "$root/$own_node"; then return; fi
  npm rebuild node --ignore-scripts=false --loglevel=error >&2 || true
  if is_wanted_node "$root/$own_node"; then return; fi
  system_node=$(command -v node || true)
  if [ -n "$system_node" ] && is_wanted_node "$system_node"; then
    ln -sf "$(node -p process.execPath)" "$own_node"
    return
  fi
  say "the Node.js $wanted_major that npm brought does not run here; install Node.js $wanted_major or newer yourself" \
    "(Alpine: apk add nodejs npm) and run the same command again"
  return 1
}

# Scripts and styles of the pages, bundled from src/ui.
pages_current() {
  [ -f dist/ui/manifest.json ] && [ -z "$(find src/ui package-lock.json -newer dist/ui/manifest.json)" ]
}

bundle_pages() {
  if pages_current; then return; fi
  say "bundling the scripts of the pages"
  sh scripts/build-ui.sh >&2 || fail "the scripts of the pages could not be bundled; the words of Vite are above"
}

setup_node() {
  dependencies_current || alone install_dependencies
  pages_current || alone bundle_pages
}

# --- system packages ---------------------------------------------------------------------------------------------

# What to put before apt-get where packages may be installed: nothing as root, sudo in CI; fails elsewhere.
apt_prefix() {
  has apt-get || return 1
  if [ "$(id -u)" = 0 ]; then return; fi
  if [ "${CI:-}" = true ] && has sudo && sudo -n true 2>/dev/null; then echo 'sudo -n'; else return 1; fi
}

apt_install() {
  prefix=$(apt_prefix) || return 1
  say "installing $* (apt-get)"
  # shellcheck disable=SC2086 # the prefix is a command of zero or two words
  ${prefix} env DEBIAN_FRONTEND=noninteractive sh -c '
    apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends "$@" >/dev/null 2>&1 ||
      { apt-get update -qq && apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends "$@" >/dev/null; }' apt "$@" >&2 </dev/null
}

# The one command that installs a thing, for this system, or for each when this one is not known.
# usage: how_to_install THING DEBIAN FEDORA ALPINE MACOS (package names)
how_to_install() {
  say "$1 was not found. Install it with:"
  kind=$(uname -s)
  # shellcheck disable=SC1091 # the file is the system's
  if [ -r /etc/os-release ]; then kind=" $(. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}") "; fi
  case $kind in
    *' debian '* | *' ubuntu '*) printf '    sudo apt-get update && sudo apt-get install -y %s\n' "$2" ;;
    *' fedora '*) printf '    sudo dnf install -y %s\n' "$3" ;;
    *' alpine '*) printf '    sudo apk add %s\n' "$4" ;;
    Darwin) printf '    brew install %s\n' "$5" ;;
    *)
      printf '    Debian, Ubuntu:  sudo apt-get update && sudo apt-get install -y %s\n' "$2"
      printf '    Fedora:          sudo dnf install -y %s\n' "$3"
      printf '    Alpine:          sudo apk add %s\n' "$4"
      printf '    macOS:           brew install %s\n' "$5"
      ;;
  esac >&2
  say 'Then run the same command again. Nothing is installed on a system for you unless you are root on Debian or Ubuntu.'
}

# --- ffmpeg ------------------------------------------------------------------------------------------------------

has_ffmpeg() {
  has "${LIVESTOW_FFMPEG:-ffmpeg}" && { has ffprobe || [ -x "$(dirname "${LIVESTOW_FFMPEG:-ffmpeg}")/ffprobe" ]; }
}

install_ffmpeg() { has_ffmpeg || apt_install ffmpeg; }

setup_ffmpeg() {
  if has_ffmpeg; then return; fi
  if alone install_ffmpeg && has_ffmpeg; then return; fi
  how_to_install ffmpeg ffmpeg ffmpeg-free ffmpeg ffmpeg
  exit 1
}

# --- what only the tests need ------------------------------------------------------------------------------------

has_browser() {
  for browser in "${LIVESTOW_CHROMIUM:-chromium}" chromium-browser google-chrome google-chrome-stable; do
    if has "$browser"; then return; fi
  done
  [ -x '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome' ]
}

install_browser() { has_browser || apt_install chromium; }

has_faketime() { has faketime; }

install_faketime() { has_faketime || apt_install faketime; }

# No test is skipped for the lack of something, so all that is missing is said here, at once.
setup_test_extras() {
  missing=
  has_browser || { alone install_browser && has_browser; } || {
    how_to_install 'Chromium (for the player tests)' chromium chromium chromium '--cask google-chrome'
    missing=1
  }
  has_faketime || { alone install_faketime && has_faketime; } || {
    how_to_install 'faketime (for the tests of the clock)' faketime libfaketime libfaketime libfaketime
    missing=1
  }
  # Another server stands in for them, except in CI.
  if [ -z "${LIVESTOW_TEST_S3:-}" ] || [ "${CI:-}" = true ]; then
    for server in s3 swift; do
      alone install_server "$server" || missing=1
    done
  fi
  [ -z "$missing" ] || exit 1
}

install_server() { "scripts/$1-server.sh" install >&2 </dev/null; }

case ${1:-test} in
  node) setup_node ;;
  ffmpeg)
    setup_node
    setup_ffmpeg
    ;;
  test)
    setup_node
    setup_ffmpeg
    setup_test_extras
    ;;
  *) fail "there is no set-up called '$1': node, ffmpeg or test" ;;
esac
