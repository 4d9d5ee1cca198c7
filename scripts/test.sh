#!/bin/sh
# npm test: set-up, checks, tests. `--long` runs the long tests instead of both; other arguments go to vitest.
set -eu
cd -- "$(dirname -- "$0")/.."
sh scripts/setup.sh test
PATH=$PWD/node_modules/.bin:$PATH

if [ "${1:-}" = --long ]; then
  shift
  LIVESTOW_LONG=1
  export LIVESTOW_LONG
else
  sh scripts/check.sh
fi
exec vitest run "$@"
