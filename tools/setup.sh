#!/bin/sh
# Makes .venv hold the project and the extras named, compiles it, then writes the stamps that make looks at.
# Safe to interrupt and to repeat.
#
#   tools/setup.sh EXTRAS STAMP...        EXTRAS: comma-separated, as in pyproject.toml, or "" for none
#
# PYTHON=… chooses the interpreter. uv is used when it is on PATH, else venv and pip.
set -eu

extras=$1
shift # what is left: the stamps
venv=.venv
unfinished=$venv/.unfinished # there while an installation is under way: found at the start, it means one was cut short
log=$venv/setup.log

say() { printf '%s\n' "$*"; }
stop() {
    printf '\n' >&2
    printf '%s\n' "$@" >&2
    exit 1
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" && printf '%s' "$PYTHON" && return
        stop "PYTHON=$PYTHON is not a Python 3.11 or later ($("$PYTHON" -V 2>&1 | head -n 1))."
    fi
    # Each is run, not only looked for: a version manager's stand-in may exist without a Python behind it.
    for candidate in python3.13 python3.12 python3.11 python3 python3.14 python; do
        is_new_enough "$candidate" && printf '%s' "$candidate" && return
    done
    stop "journeykit needs Python 3.11 or later, and none was found on PATH." \
        "What \`python3\` says: $(python3 -V 2>&1 | head -n 1)" \
        "Install one (https://www.python.org/downloads), or say where it is: make PYTHON=/path/to/python3.12 …"
}

make_venv() {
    say "Making $venv with $("$1" -V) ..."
    rm -rf "$venv"
    mkdir "$venv"
    : >"$unfinished"
    if [ -n "$uv" ]; then
        "$uv" venv --quiet --allow-existing --seed --python "$1" "$venv" >"$log" 2>&1 || no_venv
    else
        "$1" -m venv "$venv" >"$log" 2>&1 || no_venv
    fi
}

no_venv() {
    cat "$log" >&2
    if looks_offline; then no_registry; fi
    stop "A virtual environment could not be made (see above)." \
        "On Debian and Ubuntu it needs the package python3-venv: apt-get install python3-venv"
}

install() { # arguments as of pip install
    if [ -n "$uv" ]; then
        "$uv" pip install --quiet --python "$venv/bin/python" "$@" >>"$log" 2>&1
    else
        "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check "$@" >>"$log" 2>&1
    fi
}

looks_offline() {
    grep -qiE 'connection (refused|reset|error)|failed to establish|name or service not known|name resolution|network is unreachable|no route to host|timed out|error sending request|failed to (fetch|connect)|dns error|ProxyError|SSLError|certificate' "$log"
}

no_registry() {
    stop "The package registry (PyPI, or the mirror that pip or uv is set to) can't be reached from here." \
        "Check the network, the proxy (HTTPS_PROXY) and the index (\`pip config list\`, PIP_INDEX_URL, UV_INDEX_URL)," \
        "then run make again. What the installer said is in $log."
}

# Before anything is changed: is there a registry? One small package that every set-up needs is asked for.
check_registry() {
    wanted=$(grep -m 1 '^packaging==' constraints.txt)
    if [ -n "$uv" ]; then
        UV_HTTP_RETRIES=1 install --dry-run --no-deps --refresh --reinstall "$wanted" || registry_failed
    else
        install --dry-run --no-deps --ignore-installed --retries 1 --timeout 20 "$wanted" || registry_failed
    fi
}

registry_failed() {
    if looks_offline; then no_registry; fi
    tail -n 5 "$log" >&2
    stop "The package registry gave no usable answer (see above, and $log)." \
        "Check the index that pip or uv is set to: \`pip config list\`, PIP_INDEX_URL, UV_INDEX_URL."
}

cd "$(dirname "$0")/.."
uv=$(command -v uv || true)
if [ -e "$unfinished" ]; then
    say "The last set-up did not finish: beginning again."
    rm -rf "$venv"
fi
if ! { is_new_enough "$venv/bin/python" && { [ -n "$uv" ] || "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; }; then
    python=$(find_python)
    make_venv "$python"
fi

: >"$log"
say "Installing journeykit${extras:+ with $extras} ($([ -n "$uv" ] && echo uv || echo pip), pinned in constraints.txt) ..."
check_registry
: >"$unfinished"
if ! install --constraint constraints.txt --editable ".${extras:+[$extras]}"; then
    if looks_offline; then no_registry; fi
    tail -n 20 "$log" >&2
    stop "The installation failed (see above; all of it is in $log)."
fi

# Compiled once here, every later start is three to four times quicker. Some packages carry files that are no Python of
# this version; they are not our concern.
say "Compiling ..."
"$venv/bin/python" -m compileall -q -j 0 "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" journeykit >/dev/null 2>&1 || true
"$venv/bin/python" -m journeykit.loops.compile

rm -f "$unfinished"
touch "$@"
