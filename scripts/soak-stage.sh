# stage NAME COMMAND...: runs one part of the soak and adds up what it passed and failed, by its last `N passed, N failed`.
passed=0 failed=0
stage() {
  local name=$1 log last p f status
  shift
  log=$(mktemp)
  echo "== $name"
  "$@" 2>&1 </dev/null | tee "$log" | tail -n 20
  status=${PIPESTATUS[0]}
  last=$(grep -aE '^([A-Za-z-]+: )?[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
  p=$(grep -oE '[0-9]+ passed' <<<"$last" | grep -oE '[0-9]+') f=$(grep -oE '[0-9]+ failed' <<<"$last" | grep -oE '[0-9]+')
  rm -f "$log"
  p=${p:-0} f=${f:-0}
  # A stage that ends badly without saying so, or that has looked at nothing, is a failure.
  if [ "$f" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$p" -eq 0 ]; }; then f=1; fi
  echo "   $name: $p passed, $f failed"
  passed=$((passed + p)) failed=$((failed + f))
}
