#!/bin/sh
# Installs those of the named Debian packages that are missing. Does nothing, and needs no rights, if all are there.
# usage: debian-packages.sh PACKAGE…
set -eu

missing=""
for package in "$@"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q "ok installed" ||
        command -v "$package" >/dev/null || [ -x "/usr/sbin/$package" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null; then
    as_root="sudo"
else
    echo "please install as root: apt-get install$missing" >&2
    exit 1
fi
echo "installing from Debian:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # a list of words on purpose
$as_root apt-get update -qq && $as_root apt-get install -qq --yes --no-install-recommends $missing >/dev/null
