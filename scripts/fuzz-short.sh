#!/usr/bin/env bash
# Every fuzz target for FUZZTIME, one after the other: go runs one at a time.
#
# Up to Go 1.26 the end of -fuzztime can itself be reported as a failure, "context
# deadline exceeded" (go.dev/issue/75804). A target that fails with just that, and has
# written no failing input, has not failed.
set -euo pipefail
cd "$(dirname "$0")/.."

n=0
for file in $(grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | sort); do
	for name in $(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$file"); do
		package="$(dirname "$file")"
		echo "fuzz $package $name"
		if ! out="$(go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-5s}" "$package" 2>&1)"; then
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
