#!/usr/bin/env bash
# Tests the named packages under the race detector, which needs a C compiler.
set -euo pipefail
if ! command -v "${CC:-cc}" >/dev/null; then
	echo "race detector: no C compiler (Debian: apt-get install gcc libc6-dev)" >&2
	[ "${TEMPORAL_YCQL_REQUIRE_ALL:-0}" = 0 ] || exit 1
	exit 0
fi
packages=$(CGO_ENABLED=1 go list "$@" 2>/dev/null)
CGO_ENABLED=1 exec go test -race -short -p 2 -timeout 15m $packages
