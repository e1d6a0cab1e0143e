#!/usr/bin/env bash
# Three nodes on this machine, a service, a node that falls silent, the service on another node. See README.md.
#   demo.sh [--keep]         --keep leaves the cluster running and says how to talk to it
#   demo.sh --stop DIR       ends a cluster that was kept
set -euo pipefail
ROOT=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
cd "$ROOT"
[ -d node_modules ] || npm ci --no-audit --no-fund --loglevel=error
# The compiler looks at what changed only; a first build takes about a minute.
npm run --silent build
if [ "${1:-}" = --stop ]; then exec node dist/scripts/demo-stop.js "${2:?directory of the demo}"; fi
exec node dist/scripts/demo.js "$@"
