#!/usr/bin/env bash
# `npm run soak [-- --seeds N] [--fuzz N] [--minutes N]`: the long form of everything; `--minutes`: of chaos, after each scenario
# was played once. Ends with `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
export QUORATE_SHARED="${QUORATE_SHARED:-$(readlink -f ../shared 2>/dev/null || echo ../shared)}"
seeds=2000 fuzz=20000 minutes=0
while [ "$#" -gt 0 ]; do
  case $1 in
    --seeds) seeds=$2; shift 2 ;;
    --fuzz) fuzz=$2; shift 2 ;;
    --minutes) minutes=$2; shift 2 ;;
    *) echo "soak: unknown option $1 (there are --seeds N, --fuzz N and --minutes N)" >&2; exit 2 ;;
  esac
done
. scripts/packages.sh
bash scripts/setup.sh "${TEST_PACKAGES[@]}"
npm run --silent build
# shellcheck source=scripts/soak-stage.sh
. scripts/soak-stage.sh
stage everything env CI=true npm test --silent
stage simulator bash scripts/sim-seeds.sh 100000 "$seeds"
stage flips env FLIPS=2000 bash -o pipefail -c 'node --test dist/test/storage/flips.test.js dist/test/sim/flips.test.js | tee /dev/stderr | awk "/^# pass/ {p=\$3} /^# fail/ {f=\$3} END {print p+0 \" passed, \" f+0 \" failed\"}"'
stage fuzz-policy node dist/test/policy/fuzz/main.js --cases "$fuzz"
stage explain node dist/test/policy/conformance/explain-main.js --questions all
stage imports env IMPORT_EVERY=1 bash -c 'node --test --test-reporter=tap dist/test/crm/import.test.js | tee /dev/stderr | awk "/^# pass/ {p=\$3} /^# fail/ {f=\$3} END {print p+0 \" passed, \" f+0 \" failed\"}"'
stage fuzz-crm node dist/test/crm/fuzz-main.js 20000 1
stage chaos bash scripts/chaos.sh --scenario all --minutes "$minutes"
stage deployments bash scripts/deployments.sh
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
