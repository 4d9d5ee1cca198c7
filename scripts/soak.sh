#!/bin/sh
# npm run soak: set-up, then the storm. Arguments go to test/soak/run.ts.
set -eu
cd -- "$(dirname -- "$0")/.."
sh scripts/setup.sh test
exec node_modules/.bin/node test/soak/run.ts "$@"
