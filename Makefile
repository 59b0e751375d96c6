# Everything a person or CI runs. "make" alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# go.mod names a toolchain that comes as a Go module.
export GOTOOLCHAIN := auto
# The same tags everywhere: another set compiles all of Temporal again.
TAGS  := disable_grpc_modules
GO    := go
BIN   := bin
TOOL  := $(GO) tool -modfile=tools/go.mod
# Runs a command beside one Cassandra that all test binaries share.
CASSANDRA := $(GO) run ./internal/cassandratest/cmd/cassandra-dev
TESTFLAGS ?=
# What the program says it was built from; empty outside of a work tree. The toolchain's
# own stamp is missing where the environment says -buildvcs=false.
REVISION := $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)
LDFLAGS  := -X github.com/temporal-ycql/temporal-ycql/core/build.stamped=$(REVISION)

# Packages that run whole servers or Temporal's own suites: one at a time, last.
HEAVY := /test/|/core/conformance
# Packages without Temporal's server below them are cheap to build for the race
# detector, and run under it, with fewer rounds of crashes and random statements
# (-short); "make faults" runs all of them.
RACE  := /core/(plan|cql|errs|exec|backend)|/dialect|/backends/|/internal/(childproc|needs)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/temporal-server
	$(GO) build -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $(BIN)/temporal-server ./cmd/server

.PHONY: start
start: build ## a whole server with database and web UI inside; data in .cache/start-dev, more flags in ARGS
	$(BIN)/temporal-server start-dev --data-dir .cache/start-dev $(ARGS)

.PHONY: start-cassandra
start-cassandra: build ## the same on a Cassandra of its own; data in .cache/start-cassandra
	@mkdir -p .cache/start-cassandra
	env -u CQL_TEST_CASSANDRA $(CASSANDRA) -port 9042 -data .cache/start-cassandra/cassandra -- tools/start-cassandra.sh

.PHONY: test
test: build ## all tests; 20 minutes on 2 cores, most of it once
	$(CASSANDRA) -port 0 -- $(MAKE) --no-print-directory test-packages

# When the tests of one package have hung: far more than a slow machine takes.
LIMIT := 1h
.PHONY: test-packages
test-packages:
	all="$$($(GO) list -tags $(TAGS) ./...)"; \
	light="$$(grep -vE '$(HEAVY)|$(RACE)' <<<"$$all")"; \
	race="$$(grep -E '$(RACE)' <<<"$$all")"; \
	heavy="$$(grep -E '$(HEAVY)' <<<"$$all")"; \
	$(GO) test -tags $(TAGS) -p 2 -timeout $(LIMIT) $(TESTFLAGS) $$light; \
	tools/race.sh -tags $(TAGS) -short -p 2 -timeout $(LIMIT) $(TESTFLAGS) $$race; \
	TEMPORAL_YCQL_SERVER="$(CURDIR)/$(BIN)/temporal-server" \
	  $(GO) test -tags $(TAGS) -p 1 -timeout $(LIMIT) $(TESTFLAGS) $$heavy

.PHONY: check
check: lint tidy vulncheck ## format, lint, import table, vet, module files, known vulnerabilities

.PHONY: lint
lint: ## golangci-lint, which also holds the import table and the format
	$(TOOL) golangci-lint fmt --diff
	$(TOOL) golangci-lint run --allow-parallel-runners

.PHONY: fmt
fmt: ## format all files as "make check" wants them
	$(TOOL) golangci-lint fmt

.PHONY: tidy
tidy:
	$(GO) mod tidy -diff
	$(GO) mod verify

.PHONY: vulncheck
vulncheck:
	tools/vulncheck.sh $(TAGS)

.PHONY: live
live: build ## suites against the clusters that CQL_TEST_CASSANDRA and CQL_TEST_YUGABYTE name
	tools/live.sh

.PHONY: bench
bench: build ## benchmarks and the comparison with stock Temporal; JSON in results/
	@mkdir -p results
	$(GO) test -tags $(TAGS) -run '^$$' -bench . -benchmem -count 10 ./core/plan/... ./core/store/... ./dialect/... | tee results/bench.txt
	$(GO) test -tags $(TAGS) -run '^$$' -bench Stream -benchtime 3x -workflows 5000 ./core/records | tee results/records.txt
	$(GO) run -tags $(TAGS) ./test/bench/workflows -out results/workflows.json
	$(GO) run -tags $(TAGS) ./test/bench/startdev -out results/start-dev.json
	$(GO) run -tags $(TAGS) ./test/bench/visibility -out results/visibility.json
	$(GO) run -tags $(TAGS) ./test/bench/engine -out results/embedded-targets.json
	$(GO) run -tags $(TAGS) ./test/bench/migrate -executions 10000,100000,1000000 -out results/migrate.json
	for arm in embedded-ycql-durable embedded-ycql-memory; do \
	  $(GO) run -tags $(TAGS) ./test/bench/growth -arm test/bench/compare/$$arm.yaml -out results/growth-$$arm.json | tee results/growth-$$arm.txt; \
	done
	env -u CQL_TEST_CASSANDRA $(CASSANDRA) -port 19042 -heap 2048 -durable -- $(GO) run -tags $(TAGS) ./test/bench/growth \
	  -arm test/bench/compare/ours-cassandra.yaml -max $${GROWTH_CASSANDRA:-1000000} -out results/growth-ours-cassandra.json | tee results/growth-ours-cassandra.txt
	for arms in embedded-ycql-durable:stock-sqlite-file embedded-ycql-memory:stock-sqlite-memory; do \
	  $(BIN)/temporal-server compare --a test/bench/compare/$${arms%:*}.yaml --b test/bench/compare/$${arms#*:}.yaml \
	    --plan test/bench/compare/plan-one-activity.yaml --out results/compare-$${arms%:*}; \
	done

.PHONY: soak
soak: build ## 100,000 random statements against Cassandra, 25 bugs built into the engine that these must find, 100 kills, 200 takeovers between processes, 100 kills of a migration, and one of 1,000 workflows from stock and back; the stores on Cassandra 4.1; then one hour of workflows on each kind of database while server and database are killed again and again; JSON in results/
	@mkdir -p results
	$(GO) test -tags $(TAGS) -count 1 -timeout 1h ./backends/embedded/storage -run Kill -kills $${SOAK_KILLS:-100}
	$(CASSANDRA) -port 0 -- $(GO) test -tags $(TAGS) -count 1 -timeout 6h ./backends/embedded/differential -run 'Agrees|Mutants' \
	  -random -statements $${SOAK_STATEMENTS:-100000} -results $(CURDIR)/results/embedded-differential.json \
	  -mutants -mutant-results $(CURDIR)/results/embedded-seeded.json
	$(CASSANDRA) -release 4.1 -port 0 -- $(GO) test -tags $(TAGS) -json -count 1 -timeout 1h ./core/conformance -run '^TestCassandra$$' \
	  > results/cassandra-4.1.json
	TEMPORAL_YCQL_MODEL_STATES=$${SOAK_STATES:-10000000} TEMPORAL_YCQL_SEQUENCES=$${SOAK_SEQUENCES:-200000} \
	  $(GO) test -tags $(TAGS) -json -count 1 -timeout 2h ./core/store/sequence/... > results/sequences.json
	TEMPORAL_YCQL_STEPS=$${SOAK_STEPS:-50000} $(GO) test -tags $(TAGS) -json -count 1 -timeout 2h ./test/owners -run 'Chance|Stopped' > results/owners.json
	$(CASSANDRA) -port 0 -- $(GO) test -tags $(TAGS) -json -count 1 -timeout 2h ./test/owners -run Processes -takeovers $${SOAK_TAKEOVERS:-200} > results/takeovers.json
	TEMPORAL_YCQL_MIGRATE_KILLS=$${SOAK_MIGRATE_KILLS:-100} \
	  $(GO) test -tags $(TAGS) -json -count 1 -timeout 1h ./core/migrate -run Killed > results/migrate-kills.json
	TEMPORAL_YCQL_TRAVELLERS=$${SOAK_TRAVELLERS:-1000} TEMPORAL_YCQL_BACKLOG=$${SOAK_BACKLOG:-10000} \
	  $(CASSANDRA) -port 0 -- $(GO) test -tags $(TAGS) -json -count 1 -timeout 2h ./test/e2e -run '^TestMigration$$' > results/migration.json
	for server in ycql own; do \
	  $(GO) run -tags $(TAGS) ./test/bench/soak -server $$server -duration $${SOAK_DURATION:-1h} -out results/soak-$$server.json; \
	done

# Each fuzz target for FUZZ_TIME, little of it for shortening inputs; what one finds stays in its package's testdata/fuzz.
FUZZ_TIME ?= 1m
.PHONY: fuzz
fuzz: ## every fuzz target, one minute each (FUZZ_TIME)
	@grep -rn --include='*_test.go' '^func Fuzz' . | sed 's|/[^/]*:[0-9]*:func | |; s|(.*||' | while read -r dir target; do \
	  $(GO) test -tags $(TAGS) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 10x "$$dir" || exit 1; \
	done

# An older revision whose server shares keyspaces with this one's in TestTwoReleases.
FAULTS_RELEASE ?= 35557e2
OTHER := .cache/release-$(FAULTS_RELEASE)
$(OTHER)/temporal-server:
	@mkdir -p $(OTHER)/source
	git archive $(FAULTS_RELEASE) | tar -x -C $(OTHER)/source
	cd $(OTHER)/source && $(GO) build -buildvcs=false -tags $(TAGS) -o ../temporal-server ./cmd/server

.PHONY: faults
faults: build $(OTHER)/temporal-server ## every fault and kill at every request of every store call, which writes docs/reliability.md's tables; crash tests at full length, 20,000 random store calls in a storm, the end-to-end faults twenty times over; JSON in results/
	@mkdir -p results
	$(CASSANDRA) -port 0 -- $(GO) test -tags $(TAGS) -json -count 1 -timeout 1h ./core/conformance \
	  -run '^TestCassandra(EmbeddedEphemeral|SuiteOnYCQLEphemeral)?$$/^faults' > results/fault-areas.json
	TEMPORAL_YCQL_SERVER="$(CURDIR)/$(BIN)/temporal-server" $(GO) test -tags $(TAGS) -json -count 1 -timeout 4h ./core/conformance \
	  -run '^TestKills$$' -kill-sample $${FAULTS_SAMPLE:-1} -kill-cassandra $${FAULTS_CASSANDRA_SAMPLE:-20} > results/kills.json
	$(GO) run ./test/faults -out results/faults.json -docs docs/reliability.md results/fault-areas.json results/kills.json
	$(GO) test -tags $(TAGS) -json -count 1 -timeout 1h ./core/conformance/storm -calls $${STORM_CALLS:-20000} > results/storm.json
	$(GO) test -tags $(TAGS) -json -count 1 -timeout 2h ./backends/embedded/storage ./backends/embedded/differential > results/crashes.json
	TEMPORAL_YCQL_OTHER_SERVER="$(CURDIR)/$(OTHER)/temporal-server" \
	  $(CASSANDRA) -port 0 -- $(GO) test -tags $(TAGS) -json -count $${FAULTS_COUNT:-20} -timeout 3h \
	  -run 'Killed|Roles|Interchange|LostReplies|Frozen|Releases' ./test/e2e -freezes 4 > results/faults-e2e.json
