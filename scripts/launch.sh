# Sourced by scripts/quorate*: runs a program of this checkout from any directory. ROOT is the checkout, PROGRAM the room
# under src/app. Building happens once; afterwards the cost is two file tests.
if [ ! -d "$ROOT/node_modules" ]; then
  (cd "$ROOT" && npm ci --no-audit --no-fund --loglevel=error) 1>&2 || exit 1
fi
if [ ! -f "$ROOT/dist/src/app/$PROGRAM/main.js" ]; then
  (cd "$ROOT" && npm run --silent build) 1>&2 || exit 1
fi
exec node --enable-source-maps "$ROOT/dist/src/app/$PROGRAM/main.js" "$@"
