#!/bin/sh
# npm run bench:archive: what the catalogue of a big archive costs. Arguments go to bench/archive/run.ts.
set -eu
cd -- "$(dirname -- "$0")/.."
sh scripts/setup.sh node
exec node_modules/.bin/node bench/archive/run.ts "$@"
