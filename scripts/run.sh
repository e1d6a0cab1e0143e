#!/usr/bin/env bash
# scripts/run.sh MODULE [ARGS...]: runs a compiled program of the checkout (`test/raft/conformance/main`); installs and
# builds first where that has not happened. The working directory of the caller stays.
set -euo pipefail
root=$(dirname "$(readlink -f "$0")")/..
if [ ! -f "$root/dist/$1.js" ]; then
  bash "$root/scripts/setup.sh"
  (cd "$root" && npm run --silent build >&2)
fi
module=$1
shift
exec node --enable-source-maps "$root/dist/$module.js" "$@"
