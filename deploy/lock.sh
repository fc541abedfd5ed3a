#!/bin/sh
# Compile requirements.lock from requirements.txt: every package, with the hashes of its files, for every system and
# every Python that we support; requirements-gpu.lock, what requirements-gpu.txt adds to it; and a lock for each extra,
# with all that its requirements-*.txt needs, in the versions of requirements.lock. Needs uv (pip install uv) and an index.
set -eu
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "uv is missing: pip install uv" >&2; exit 3; }
compile() { # SOURCE LOCK HEAD OPTION…: writes LOCK from SOURCE
    source=$1 lock=$2 head=$3
    shift 3
    # What stands in the lock already is kept while the source allows it; uv pip compile --upgrade takes the newest.
    uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header "$@" "$source" --output-file "$lock"
    printf '%s\n' "$head" | cat - "$lock" >"$lock.new"
    mv "$lock.new" "$lock"
}
compile requirements.txt requirements.lock \
    '# Every package that requirements.txt brings, with the hashes of its files; written by deploy/lock.sh.' \
    --universal --python-version 3.11 "$@"
only=$(mktemp)
trap 'rm -f "$only"' EXIT
grep -v '^-r ' requirements-gpu.txt >"$only"
compile "$only" requirements-gpu.lock \
    '# What requirements-gpu.txt adds to requirements.lock, with the hashes of its files; written by deploy/lock.sh.' \
    --no-annotate --python-platform x86_64-manylinux_2_28 --python-version 3.11 "$@"
for extra in encoders errors traces; do # what the image's argument EXTRAS may name
    compile "requirements-$extra.txt" "requirements-$extra.lock" \
        "# Every package that requirements-$extra.txt brings, with the hashes of its files; written by deploy/lock.sh." \
        --universal --python-version 3.11 --constraint requirements.lock "$@"
done
