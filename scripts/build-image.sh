#!/usr/bin/env bash
# Builds the image of the docker backend: from sandbox/Dockerfile, or with --rootfs
# from Debian's packages and the installed Python environment, where no registry can
# be reached (as root). The tag is the digest of the lock file. What is there is kept.
set -euo pipefail
cd "$(dirname "$0")/.."

lock=$(sha256sum sandbox/python/requirements.lock | cut -d' ' -f1)
image=medgym-sandbox:${lock:0:12}
if docker image inspect "$image" >/dev/null 2>&1; then
	echo "$image is there"
	exit 0
fi

rootfs() {
	local cache site='' base suite=bookworm
	cache=${MEDGYM_ENV:-${XDG_CACHE_HOME:-$HOME/.cache}/medgym-data}
	for found in "$cache"/env-*/environment.json; do
		grep -q "\"lock\": \"$lock\"" "$found" 2>/dev/null && site=${found%/*}/site
	done
	[ -n "$site" ] || { echo "build-image.sh: the Python environment is not installed: make env" >&2; return 1; }

	# Debian's part is kept from build to build: a file is there whole or not at all.
	base=$cache/rootfs-$suite.tar
	work=$(mktemp -d)
	trap 'rm -rf --one-file-system "$work"' EXIT
	if [ ! -f "$base" ]; then
		debootstrap --variant=minbase --include=python3.11-minimal,libpython3.11-stdlib "$suite" "$work/root" >"$work/log" 2>&1 ||
			{ tail -n 5 "$work/log" >&2; return 1; }
		rm -rf "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/* "$work"/root/usr/share/{doc,man,locale} \
			"$work"/root/usr/lib/python3/dist-packages/* "$work"/root/dev/*
		mkdir -p "$work"/root/{opt/medgym,session,workdir,data}
		ln -sf python3.11 "$work/root/usr/bin/python3"
		ln -sf python3.11 "$work/root/usr/bin/python"
		tar -C "$work/root" --numeric-owner -cf "$base.$$" .
		mv "$base.$$" "$base"
	fi
	cp "$base" "$work/image.tar"
	tar -rf "$work/image.tar" --owner=0 --group=0 --numeric-owner --transform 's,^\.,./opt/env,' -C "$site" .
	docker import --change "LABEL org.medgym-data.lock=$lock" "$work/image.tar" "$image"
}

case "${1:-}" in
--rootfs) rootfs ;;
'') docker build --build-arg "LOCK=$lock" --tag "$image" sandbox ;;
*) echo "usage: scripts/build-image.sh [--rootfs]" >&2; exit 2 ;;
esac
