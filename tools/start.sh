#!/usr/bin/env bash
# Runs a whole local server on the Cassandra at 127.0.0.1:9042, which "make start"
# has started; makes its keyspace the first time.
set -euo pipefail
server=(bin/temporal-server --config-file config/cassandra.yaml)
"${server[@]}" schema create
"${server[@]}" schema update
exec "${server[@]}" start
