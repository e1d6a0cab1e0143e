#!/usr/bin/env bash
# `npm run soak [-- --seeds N] [--fuzz N]`: the long form of everything. Ends with `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
export QUORATE_SHARED="${QUORATE_SHARED:-$(readlink -f ../shared 2>/dev/null || echo ../shared)}"
seeds=2000 fuzz=20000
while [ "$#" -gt 0 ]; do
  case $1 in
    --seeds) seeds=$2; shift 2 ;;
    --fuzz) fuzz=$2; shift 2 ;;
    *) echo "soak: unknown option $1 (there are --seeds N and --fuzz N)" >&2; exit 2 ;;
  esac
done
. scripts/packages.sh
bash scripts/setup.sh "${TEST_PACKAGES[@]}"
npm run --silent build
passed=0 failed=0
stage() {
  local name=$1 log last p f
  shift
  log=$(mktemp)
  echo "== $name"
  "$@" 2>&1 </dev/null | tee "$log" | tail -n 20
  last=$(grep -aE '^([A-Za-z-]+: )?[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
  p=$(grep -oE '[0-9]+ passed' <<<"$last" | grep -oE '[0-9]+') f=$(grep -oE '[0-9]+ failed' <<<"$last" | grep -oE '[0-9]+')
  rm -f "$log"
  if [ -z "$p" ]; then p=0 f=1; fi
  passed=$((passed + p)) failed=$((failed + f))
}
stage everything npm test --silent
stage simulator bash scripts/sim-seeds.sh 100000 "$seeds"
stage flips env FLIPS=2000 bash -c 'node --test dist/test/storage/flips.test.js dist/test/sim/flips.test.js | tee /dev/stderr | awk "/^# pass/ {p=\$3} /^# fail/ {f=\$3} END {print p+0 \" passed, \" f+0 \" failed\"}"'
if [ -f dist/test/policy/fuzz/main.js ]; then stage fuzz-policy node dist/test/policy/fuzz/main.js --cases "$fuzz"; fi
stage explain node dist/test/policy/conformance/explain-main.js --questions all
stage fuzz-crm node dist/test/crm/fuzz-main.js 20000 1
if [ -x scripts/chaos.sh ]; then stage chaos bash scripts/chaos.sh --scenario all; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
