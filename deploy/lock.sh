#!/bin/sh
# Compile requirements.lock from requirements.txt: every package, with the hashes of its files, for every system and
# every Python that we support. Needs uv (pip install uv) and an index. The image installs this file and nothing else.
set -eu
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "uv is missing: pip install uv" >&2; exit 3; }
head='# Every package that requirements.txt brings, with the hashes of its files; written by deploy/lock.sh.'
# What stands in the lock already is kept while requirements.txt allows it; uv pip compile --upgrade takes the newest.
uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header "$@" \
    requirements.txt --output-file requirements.lock
printf '%s\n' "$head" | cat - requirements.lock >requirements.lock.new
mv requirements.lock.new requirements.lock
