#!/usr/bin/env bash
# `npm run chaos`: faults on three hosts of a lab, under a stream of changes. Needs root. See test/chaos/README.md.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh
bash scripts/setup.sh "${CHAOS_PACKAGES[@]}"
npm run --silent build
exec node --enable-source-maps dist/test/chaos/main.js "$@"
