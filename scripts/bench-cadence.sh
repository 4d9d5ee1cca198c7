#!/bin/sh
# npm run bench:cadence: what the planned cadence finds for its credits, simulated. Arguments go to bench/cadence/run.ts.
set -eu
cd -- "$(dirname -- "$0")/.."
sh scripts/setup.sh node
exec node_modules/.bin/node bench/cadence/run.ts "$@"
