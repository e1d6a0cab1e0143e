#!/usr/bin/env bash
# Unit and conformance tests once more, on Node 24 (from the npm package `node`, kept apart so that it is nobody's default).
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
home=.cache/node24
if [ ! -x "$home/node_modules/node/bin/node" ]; then
  mkdir -p "$home"
  [ -f "$home/package.json" ] || echo '{ "private": true }' >"$home/package.json"
  npm install --silent --no-audit --no-fund --prefix "$home" node@24 >&2
fi
node24="$PWD/$home/node_modules/node/bin/node"
"$node24" --version
. scripts/test-lists.sh
mapfile -t unit < <(unit_tests | grep -v '/conformance')
"$node24" --enable-source-maps --test --test-reporter=tap --test-concurrency=2 "${unit[@]}"
for room in raft policy crm; do "$node24" "dist/test/$room/conformance/main.js" | tail -n 1; done
