#!/usr/bin/env bash
# `npm run coverage`: what the unit tests reach, by room. A report, no gate.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
. scripts/test-lists.sh
[ -d dist/test ] || npm run --silent build
mapfile -t unit < <(unit_tests)
npx --no-install c8 --exclude-after-remap --include 'src/**' --reporter text --reporter html \
  node --enable-source-maps --test --test-reporter=dot --test-concurrency=2 "${unit[@]}"
