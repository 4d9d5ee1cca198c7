#!/bin/sh
# npm run demo: set-up, then the main job end to end with no key and no account. Arguments (`--keep-open`) go to it.
set -eu
cd -- "$(dirname -- "$0")/.."
sh scripts/setup.sh ffmpeg
exec node_modules/.bin/node src/cli/main.ts demo "$@"
