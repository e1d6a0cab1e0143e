#!/usr/bin/env bash
# `npm run coverage:policy [-- CASES]`: branches of core/policy that the open corpus and CASES (2000) drawn clusters
# reach. Fails below 90 %.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
cases="${1:-2000}"
[ -d dist/test ] || npm run --silent build
npx --no-install c8 --exclude-after-remap --include 'src/core/policy/**' --reporter text --check-coverage \
  --branches 90 --lines 0 --functions 0 --statements 0 \
  bash -c "node --enable-source-maps dist/test/policy/conformance/main.js && node --enable-source-maps dist/test/policy/fuzz/main.js --cases $cases --level L1"
