#!/bin/sh
# Pin every image by its digest: writes deploy/compose.images.yaml, which is laid over compose.yaml.
#     deploy/pin_images.sh && docker compose -f deploy/compose.yaml -f deploy/compose.images.yaml up --build --detach
# Asks the registry (docker buildx imagetools) what each tag is today; keep the file, and run this again to update.
set -eu
cd "$(dirname "$0")"
digest() {
    found=$(docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}')
    case $found in
        sha256:????????????????????????????????????????????????????????????????) printf '%s@%s' "${1%%:*}" "$found" ;;
        *) echo "$1: the registry gave no digest: '$found'" >&2 && exit 1 ;;
    esac
}
python=$(sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile)
base=$(digest "$python")
{
    echo "# Written by pin_images.sh: what each tag of compose.yaml was on $(date -u +%Y-%m-%d)."
    echo "services:"
    # A service stands two blanks deep, its image four; images of our own are built, from the pinned base.
    sed -n -e 's/^  \([a-z][a-z0-9-]*\):.*/service \1/p' -e 's/^    image: \([^ #]*\).*/image \1/p' compose.yaml |
        while read -r kind value; do
            if [ "$kind" = service ]; then
                service=$value
            elif [ "$value" != recsite:local ]; then
                pinned=$(digest "$value")
                printf '  %s:\n    image: %s  # %s\n' "$service" "$pinned" "$value"
            fi
        done
    for service in certificates migrate web-1 web-2 stream tasks beat; do
        printf '  %s:\n    build: {args: {PYTHON_IMAGE: "%s"}}  # %s\n' "$service" "$base" "$python"
    done
} >compose.images.yaml.new
mv compose.images.yaml.new compose.images.yaml
echo "deploy/compose.images.yaml"
