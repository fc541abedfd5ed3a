#!/bin/sh
# Take up a new image or new settings without a failed request: deploy/rolling.sh
# The migrations first, then one web process after the other, each ready before the next one stops, then the workers.
# Files beside compose.yaml: COMPOSE_FILE=compose.yaml:compose.mtls.yaml deploy/rolling.sh
# It stops where something does not come up: what runs by then goes on.
set -eu
cd "$(dirname "$0")"
export COMPOSE_FILE="${COMPOSE_FILE:-compose.yaml}"
# Longer than nginx takes to look a name up again and to try a process again that it left out (recsite.conf).
settle_s=${SETTLE_S:-4}
renew() { docker compose up --detach --no-deps --force-recreate --wait --wait-timeout 300 "$@"; }

[ "${BUILD:-1}" = 1 ] && docker compose build
docker compose run --rm --no-deps migrate
for web in web-1 web-2; do
    echo "$web"
    renew "$web"
    sleep "$settle_s"
done
renew stream
renew tasks beat
echo "done"
