# Which compiled tests are which, for the scripts that run them. Tests that start real daemons, guardians or hosts are
# "live": each has addresses and a directory of its own, and waits most of its time; all others are "unit".
LIVE=(-path '*/live/*' -o -path '*/daemon/*' -o -name 'lab.test.js' -o -path '*/guardian/daemon.test.js' -o -path '*/guardian/process.test.js')
unit_tests() { find dist/test -name '*.test.js' -not \( "${LIVE[@]}" \) | sort; }
live_tests() { find dist/test -name '*.test.js' \( "${LIVE[@]}" \) | sort; }
