#!/bin/sh
# npm run bench:serve: what livestow serve costs with hundreds of creators. Arguments go to bench/serve/run.ts.
set -eu
cd -- "$(dirname -- "$0")/.."
sh scripts/setup.sh ffmpeg
exec node_modules/.bin/node bench/serve/run.ts "$@"
