#!/bin/sh
# npm run bench: set-up, then the measurements. Arguments go to bench/run.ts.
set -eu
cd -- "$(dirname -- "$0")/.."
sh scripts/setup.sh ffmpeg
exec node_modules/.bin/node bench/run.ts "$@"
