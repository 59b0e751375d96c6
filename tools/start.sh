#!/usr/bin/env bash
# Runs a whole local server with its database inside.
set -euo pipefail
# Everything that it keeps is below .cache/start.
exec bin/temporal-server --config-file config/embedded.yaml \
	--set backends.embedded.dataDir=.cache/start/engine \
	--set persistence.datastores.visibility.sql.databaseName=.cache/start/visibility.db \
	start
