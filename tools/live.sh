#!/usr/bin/env bash
# Runs the suites against live clusters and says which it did not run.
set -euo pipefail
ran=0
if [ -n "${CQL_TEST_CASSANDRA:-}" ]; then
	echo "live: Cassandra at $CQL_TEST_CASSANDRA"
	go test -tags disable_grpc_modules -p 1 -count 1 -timeout 60m ./core/... ./backends/cassandra/... ./test/...
	go test -count 1 -run RealCassandra ./backends/embedded/corpus
	ran=1
else
	echo "live: Cassandra NOT run: set CQL_TEST_CASSANDRA=host:port"
fi
if [ -n "${CQL_TEST_YUGABYTE:-}" ]; then
	echo "live: YugabyteDB at $CQL_TEST_YUGABYTE"
	go test -tags disable_grpc_modules -p 1 -count 1 -timeout 60m ./backends/yugabyte/...
	go test -count 1 -run RealYugabyteDB ./backends/embedded/corpus
	ran=1
else
	echo "live: YugabyteDB NOT run: set CQL_TEST_YUGABYTE=host:port"
fi
if [ $ran = 0 ]; then
	echo "live: nothing was run" >&2
	exit 1
fi
