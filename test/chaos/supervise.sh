#!/bin/sh
# supervise.sh NAME PROGRAM ARG... - what systemd's Restart=always does in production: starts the program again when it ends.
# The pid is in /run/NAME.pid.
name=$1
shift
while :; do
  "$@" &
  echo $! >"/run/$name.pid"
  wait $!
  echo "supervise: $name ended with $?"
  sleep 0.5
done
