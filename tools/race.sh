#!/usr/bin/env bash
# "go test" with the given arguments under the race detector. That needs a C
# compiler: without one the same tests run without the detector, and this says so.
set -euo pipefail
if command -v "${CC:-cc}" >/dev/null; then
	CGO_ENABLED=1 exec go test -race "$@"
fi
echo "race.sh: no C compiler, so no race detector (Debian: apt-get install gcc libc6-dev)" >&2
if [ "${TEMPORAL_YCQL_REQUIRE_ALL:-0}" != 0 ]; then
	echo "race.sh: TEMPORAL_YCQL_REQUIRE_ALL is set" >&2
	exit 1
fi
exec go test "$@"
