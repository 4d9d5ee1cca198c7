#!/bin/sh
# npm run build:ui: the scripts and styles of the pages, from src/ui into dist/ui.
set -eu
cd -- "$(dirname -- "$0")/.."
exec node_modules/.bin/node node_modules/.bin/vite build src/ui --config src/ui/vite.config.ts --logLevel warn
