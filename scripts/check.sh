#!/bin/sh
# Everything that is checked without running the product: lint, format, types, unused code, shell scripts.
set -eu
cd -- "$(dirname -- "$0")/.."
sh scripts/setup.sh node
PATH=$PWD/node_modules/.bin:$PATH

failed=
check() {
  name=$1
  shift
  "$@" || failed="$failed $name"
}

check lint oxlint
check format oxfmt --check .
check types tsc --noEmit
check types-of-pages tsc -p src/ui/tsconfig.json
check unused knip
if command -v shellcheck >/dev/null 2>&1; then check scripts shellcheck scripts/livestow scripts/*.sh .ci/run; fi

if [ -n "$failed" ]; then
  echo "checks failed:$failed" >&2
  exit 1
fi
