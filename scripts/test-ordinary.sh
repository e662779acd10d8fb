#!/usr/bin/env bash
# The sandbox's suite as an ordinary user, for whom root has to drop its own rights
# first. The interpreter and the environment have to be readable by anyone, so the
# system's CPython is taken and the environment is made in a folder of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
	exec go test -count=1 ./sandbox/namespace
fi
export MEDGYM_PYTHON=/usr/bin/python3.11
if ! "$MEDGYM_PYTHON" -c 'import pip' 2>/dev/null; then
	apt-get update -qq && apt-get install -qqy --no-install-recommends python3.11 python3-pip
fi
dir="$(mktemp -d /var/tmp/medgym-ordinary-XXXXXX)" # TMPDIR may be closed to others
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
mkdir -m 777 "$dir/tmp"
export MEDGYM_ENV="$dir/env"
go run ./cmd/medgym-data --quiet doctor --install
go test -c -o "$dir/suite" ./sandbox/namespace
cd "$dir/tmp"
TMPDIR="$dir/tmp" setpriv --reuid 4242 --regid 4242 --clear-groups "$dir/suite"
