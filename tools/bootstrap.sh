#!/bin/sh
# Makes .venv what uv.lock says, with nothing but a Python 3.11 to 3.13 to start from.
# Does nothing, quickly, when nothing changed. BOOTSTRAP_VERBOSE=1 shows what uv says.
# With the argument `tools` the Go tools are begun while uv waits for the network.
set -eu

UV_VERSION=0.13.9
UV_HASHES="--hash=sha256:d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19
    --hash=sha256:ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375"
ENVIRONMENT_MIB=4500
QUIET_SECONDS=3
uncompiled='pulumi_aws|pulumi_kubernetes|pulumi_eks|debugpy|hypothesis|moto|mypy|mypyc|schemathesis'

checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=$checkout/.venv
stamp=$venv/.bootstrap
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/agentic-platform
verbose=${BOOTSTRAP_VERBOSE:-}
work=
child=
ahead=

fail() {
    printf 'bootstrap: %s\n' "$1" >&2
    exit 1
}

clean() {
    [ -z "$work" ] || rm -rf "$work"
    [ "$ahead" != starting ] || ahead=${!:-}
    [ -n "$ahead" ] || return 0
    # what it compiled stays in Go's cache; whoever comes next shows the rest of the work
    kill -TERM "$ahead" 2>/dev/null || true
    wait "$ahead" 2>/dev/null || true
}

interrupted() {
    # Ctrl-C may come between the start of a job and the note of its id
    [ "$child" != starting ] || child=${!:-}
    # a background job of a script does not hear Ctrl-C itself
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
    [ -z "$child" ] || wait "$child" 2>/dev/null || true
    printf '\nbootstrap: interrupted; run it again to go on where it stopped\n' >&2
    exit 130
}

fingerprint() {
    cat uv.lock pyproject.toml tools/bootstrap.sh | sha256sum
    printf '%s\n' "$checkout"
}

fits() {
    "$1" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
        >/dev/null 2>&1
}

# A pyenv shim of a version that is not installed is on PATH but does not run.
find_python() {
    for name in "$venv/bin/python" python3 python3.13 python3.12 python3.11 python; do
        found=$(command -v "$name" 2>/dev/null) || continue
        if fits "$found"; then
            "$found" -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))'
            return 0
        fi
    done
    return 1
}

uv_fits() {
    version=$("$1" --version 2>/dev/null | sed -n 's/^uv \([0-9]*\)\.\([0-9]*\)\..*/\1 \2/p')
    [ -n "$version" ] || return 1
    # shellcheck disable=SC2086 # two numbers
    set -- $version
    [ "$1" -gt 0 ] || [ "$2" -ge 13 ]
}

find_uv() {
    found=$(command -v uv 2>/dev/null) && uv_fits "$found" && { printf '%s\n' "$found"; return 0; }
    [ -x "$cache/bin/uv/$UV_VERSION/bin/uv" ] || return 1
    printf '%s\n' "$cache/bin/uv/$UV_VERSION/bin/uv"
}

# Runs "$@" with its output in the log; after a few seconds it says what goes on.
run() {
    about=$1
    shift
    if [ -n "$verbose" ]; then
        "$@" >&2
        return
    fi
    child=starting
    "$@" >"$log" 2>&1 &
    child=$!
    waited=0
    while kill -0 "$child" 2>/dev/null; do
        sleep 0.2 2>/dev/null || sleep 1
        waited=$((waited + 1))
        if [ "$waited" -eq $((QUIET_SECONDS * 5)) ]; then
            printf '%s\n' "$about" >&2
        fi
        if [ -t 2 ] && [ "$waited" -gt $((QUIET_SECONDS * 5)) ]; then
            printf '\r\033[K  %3d s  %.60s' $((waited / 5)) "$(tail -n 1 "$log")" >&2
        fi
    done
    if [ -t 2 ] && [ "$waited" -gt $((QUIET_SECONDS * 5)) ]; then printf '\r\033[K' >&2; fi
    code=0
    wait "$child" || code=$?
    child=
    return "$code"
}

said() {
    grep -qiE "$1" "$log"
}

explain() {
    [ -z "$verbose" ] || fail "$1 failed: see above"
    if said 'no space left'; then
        fail "the disk is full while $1: make room (about $ENVIRONMENT_MIB MiB) and run it again"
    elif said 'hash mismatch|do not match the hashes'; then
        fail "while $1 the registry gave another file than the pinned one: refused"
    elif said 'lockfile.*needs to be updated'; then
        fail 'uv.lock does not fit pyproject.toml: run `uv lock`, or undo the change'
    elif said 'no module named (venv|ensurepip)|ensurepip is not|python3-venv'; then
        fail 'this Python cannot make environments: install python3-venv, or uv'
    elif said 'failed to (fetch|download)|error sending request|dns error|connect|timed? ?out|max retries|name resolution|no matching distribution|could not find a version'; then
        fail "the package registry could not be reached while $1: check the network (or UV_DEFAULT_INDEX, PIP_INDEX_URL) and run it again"
    fi
    kept=$cache/log/bootstrap.log
    { mkdir -p "$cache/log" && cp "$log" "$kept"; } 2>/dev/null || kept='no log'
    reason=$(grep -iE 'error' "$log" | tail -n 1 || true)
    fail "$1 failed: ${reason:-$(tail -n 1 "$log")} ($kept)"
}

require_room() {
    parent=$1
    while [ ! -d "$parent" ]; do parent=$(dirname "$parent"); done
    free=$(df -Pk "$parent" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge "$2" ] || fail "$3 needs about $2 MiB on the disk of $parent, $free MiB are free: make room"
    [ -w "$parent" ] || fail "$parent can not be written: set XDG_CACHE_HOME to a folder of yours"
}

install_uv() {
    require_room "$cache" 150 uv
    work=$(mktemp -d)
    printf 'uv==%s %s\n' "$UV_VERSION" "$(printf '%s' "$UV_HASHES" | tr -s '\n ' ' ')" >"$work/uv.txt"
    run "bootstrap: getting uv $UV_VERSION" "$1" -m venv "$work/venv" || explain 'making an environment for uv'
    run "bootstrap: getting uv $UV_VERSION" "$work/venv/bin/python" -m pip install \
        --disable-pip-version-check --no-input --only-binary :all: --require-hashes \
        -r "$work/uv.txt" || explain 'getting uv'
    mkdir -p "$cache/bin/uv"
    made=$(mktemp -d "$cache/bin/uv/.making-XXXXXX")
    mkdir "$made/bin"
    mv "$work/venv/bin/uv" "$made/bin/uv"
    # another checkout may have been faster
    mv -T "$made" "$cache/bin/uv/$UV_VERSION" 2>/dev/null || rm -rf "$made"
}

cd "$checkout"
if [ -f "$stamp" ] && [ -x "$venv/bin/python" ] && [ "$(fingerprint)" = "$(cat "$stamp")" ]; then
    exit 0
fi

unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV
trap clean EXIT
trap interrupted INT TERM HUP
log=$(mktemp)
trap 'clean; rm -f "$log"' EXIT

# An environment made elsewhere has its old place written into every script.
if [ -f "$stamp" ] && [ "$(tail -n 1 "$stamp")" != "$checkout" ]; then
    rm -rf "$venv"
fi
python=$(find_python) || fail 'no Python 3.11, 3.12 or 3.13 on PATH that runs: install one (Debian: apt-get install python3 python3-venv)'
[ -d "$venv" ] || require_room "$checkout" "$ENVIRONMENT_MIB" 'the Python environment'
uv=$(find_uv) || { install_uv "$python"; uv=$(find_uv) || fail "uv could not be installed below $cache"; }

rm -f "$stamp"
if [ "${1:-}" = tools ]; then
    ahead=starting
    "$python" -m local.toolchain.ahead >/dev/null 2>&1 &
    ahead=$!
fi
UV_PROJECT_ENVIRONMENT=$venv UV_NO_PROGRESS=1 run \
    'bootstrap: making the Python environment in .venv (minutes the first time)' \
    "$uv" sync --locked --python "$python" || explain 'making the Python environment'
# What runs in Pods sees the environment read-only and could never keep compiled modules. Left out
# are the generated SDKs, which are huge and of which the program imports little, and what only
# developers import, who keep what Python compiles then.
run 'bootstrap: compiling Python modules' "$venv/bin/python" -m compileall -q -j 0 \
    -x "site-packages/($uncompiled)/|/tests?/" "$venv/lib" || true
fingerprint >"$stamp.draft"
mv "$stamp.draft" "$stamp"
