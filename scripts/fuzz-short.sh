#!/usr/bin/env bash
# Every fuzz target for FUZZTIME, one after the other: go runs one at a time. Each
# package is built once, as go test -fuzz builds it.
#
# Up to Go 1.26 the end of -fuzztime can itself be reported as a failure, "context
# deadline exceeded" (go.dev/issue/75804). A target that fails with just that, and has
# written no failing input, has not failed.
set -euo pipefail
cd "$(dirname "$0")/.."

built="$(mktemp -d)"
trap 'rm -rf "$built"' EXIT
corpus="$(go env GOCACHE)/fuzz"

n=0
for package in $(grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | xargs -n 1 dirname | sort -u); do
	go test -c -fuzz . -o "$built/fuzz.test" "$package"
	path="$(go list "$package")"
	for name in $(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$package"/*_test.go); do
		echo "fuzz $package $name"
		if ! out="$(cd "$package" && "$built/fuzz.test" -test.run '^$' -test.fuzz "^$name\$" \
			-test.fuzztime "${FUZZTIME:-5s}" -test.fuzzcachedir "$corpus/$path" 2>&1)"; then
			if grep -q 'Failing input written' <<<"$out" || ! grep -qx '    context deadline exceeded' <<<"$out"; then
				echo "$out"
				exit 1
			fi
			echo "the deadline of go test itself was reported; no input failed"
		fi
		grep -E '^fuzz: elapsed' <<<"$out" | tail -1 || true
		n=$((n + 1))
	done
done
echo "fuzz-short: $n targets"
[ "$n" -gt 0 ]
