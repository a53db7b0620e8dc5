#!/bin/sh
# Makes .venv in the current folder, if it is not there, and installs Inkfleet into it with the extras named.
# usage: venv.sh EXTRA[,EXTRA…]
set -eu

extras=$1

supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    for candidate in python3.11 python3 python3.12 python3.13; do
        if command -v "$candidate" >/dev/null && supported "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "Inkfleet needs Python 3.11, 3.12 or 3.13; install one (Debian: apt-get install python3 python3-venv)" >&2
    exit 1
}

if [ -x .venv/bin/python ] && ! supported .venv/bin/python; then
    rm -rf .venv
fi
if [ ! -x .venv/bin/pip ]; then
    python=$(find_python)
    # Debian keeps the part of venv that installs pip in a package of its own.
    "$python" -c 'import ensurepip' 2>/dev/null || "$(dirname "$0")/debian-packages.sh" python3-venv
    "$python" -m venv .venv
fi

echo "installing Inkfleet [$extras] into .venv; this takes a few minutes the first time"
quiet=--quiet
[ ! -t 1 ] || quiet=""
# shellcheck disable=SC2086  # an empty word must vanish
.venv/bin/python -m pip install $quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$extras]"
