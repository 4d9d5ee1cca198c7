#!/bin/sh
# npm run build: what is published, in dist/.
set -eu
cd -- "$(dirname -- "$0")/.."
sh scripts/setup.sh node
rm -rf dist
node_modules/.bin/tsc -p tsconfig.build.json
sh scripts/build-ui.sh
chmod +x dist/cli/main.js
