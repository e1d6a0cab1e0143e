# Sourced by scripts/quorate*: runs a program of this checkout from any directory. ROOT is the checkout, PROGRAM the room
# under src/app. Building happens once; afterwards the cost is two file tests.
if [ ! -d "$ROOT/node_modules" ] || [ ! -f "$ROOT/dist/src/app/$PROGRAM/main.js" ]; then
  # Several programs may be started at once on a fresh machine: the first one builds, the others wait for it.
  (
    exec 9<"$ROOT/package.json"
    flock 9
    cd "$ROOT"
    [ -d node_modules ] || npm ci --no-audit --no-fund --loglevel=error
    [ -f "dist/src/app/$PROGRAM/main.js" ] || npm run --silent build
  ) 1>&2 || exit 1
fi
exec node --enable-source-maps "$ROOT/dist/src/app/$PROGRAM/main.js" "$@"
