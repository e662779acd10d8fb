#!/usr/bin/env bash
# Starts or stops a Docker engine that needs no network of its own, for CI and for
# machines without a service manager. Start installs what is missing (as root, on
# Debian) and leaves an engine that already answers alone; stop ends only what start
# has started.
set -euo pipefail

pidfile=/run/medgym-dockerd.pid
log=/var/log/medgym-dockerd.log

answers() { docker version >/dev/null 2>&1; }

start() {
	answers && return
	if [ "$(id -u)" != 0 ]; then
		echo "dockerd.sh: no Docker engine answers, and only root can start one" >&2
		return 1
	fi
	for need in dockerd:docker.io docker:docker.io debootstrap:debootstrap; do
		command -v "${need%%:*}" >/dev/null && continue
		apt-get update -qq && apt-get install -qqy --no-install-recommends docker.io debootstrap
		break
	done
	# The containers have no network: no bridge, no rules in the host's firewall.
	setsid dockerd --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
		--pidfile="$pidfile" >"$log" 2>&1 </dev/null &
	for _ in $(seq 150); do
		answers && return
		kill -0 $! 2>/dev/null || break
		sleep 0.2
	done
	tail -n 5 "$log" >&2
	echo "dockerd.sh: dockerd does not start: $log says why" >&2
	return 1
}

stop() {
	[ -f "$pidfile" ] || return 0
	pid=$(cat "$pidfile")
	kill "$pid" 2>/dev/null || true
	for _ in $(seq 150); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.2
	done
	echo "dockerd.sh: dockerd, process $pid, does not stop" >&2
	return 1
}

case "${1:-}" in
start | stop) "$1" ;;
*) echo "usage: scripts/dockerd.sh start|stop" >&2; exit 2 ;;
esac
