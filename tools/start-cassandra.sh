#!/usr/bin/env bash
# Runs a whole local server on the Cassandra at 127.0.0.1:9042, which "make
# start-cassandra" has started; makes its keyspace the first time.
set -euo pipefail
# Everything that it keeps is below .cache/start-cassandra.
server=(bin/temporal-server --config-file config/cassandra.yaml
	--set persistence.datastores.visibility.sql.databaseName=.cache/start-cassandra/visibility.db)
"${server[@]}" schema create
"${server[@]}" schema update
exec "${server[@]}" start
