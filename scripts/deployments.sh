#!/usr/bin/env bash
# `npm run test:deployments`: whole deployments with the agents of Debian, on hosts of a lab. Needs root.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh
bash scripts/setup.sh "${DEPLOYMENT_PACKAGES[@]}"
npm run --silent build
exec node --enable-source-maps dist/test/deployments/main.js "$@"
