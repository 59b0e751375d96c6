package conformance

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var roundTripsFile = flag.String("roundtrips", "", "write the table of round trips of every store call to this file")

// RoundTrips says what one store call costs.
type RoundTrips struct {
	Store, Call string
	// Stock is what Temporal's own Cassandra store takes (server v1.32.2): the
	// most that ours may. A page is one more.
	Stock int
	// Took is what was measured: requests that were waited for one after the
	// other. What goes out side by side counts once.
	Took       int
	Statements int
}

// WriteRoundTrips prints a Markdown table.
func WriteRoundTrips(w io.Writer, rows []RoundTrips) error {
	var b strings.Builder
	b.WriteString("| store | call | stock | here | statements |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d |\n", r.Store, r.Call, r.Stock, r.Took, r.Statements)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// costed is a store call with its budget. Its run must succeed.
type costed struct {
	name  string
	stock int
	// apart marks calls that write rows in several partitions, some before others:
	// ahead of their atomic part, or in an order. That is one round more where a
	// request of a database cannot take all of them.
	apart bool
	run   func(ctx context.Context) error
}

// costs are the calls of one store, in an order in which each finds what it needs.
type costs struct {
	store string
	calls func(t *testing.T, f *fixture, db *database) []costed
}

func roundTripAreas() []area {
	return []area{{"budgets", []test{{"round-trips", measureRoundTrips}}}}
}

// executionStores and otherStores are the calls of all stores.
var (
	executionStores = []costs{
		{"shard", shardCosts},
		{"execution", executionCosts},
		{"history", historyCosts},
	}
	otherStores = []costs{
		{"task", taskCosts},
		{"fair task", fairTaskCosts},
		{"user data", userDataCosts},
		{"metadata", namespaceCosts},
		{"cluster metadata", clusterCosts},
		{"queue", queueCosts},
		{"queue v2", queueV2Costs},
		{"Nexus", nexusCosts},
	}
)

// measureRoundTrips makes every call of every store once and holds what it took
// against what the server's own store takes.
func measureRoundTrips(t *testing.T, db *database) {
	var rows []RoundTrips
	for _, of := range slices.Concat(executionStores, otherStores) {
		t.Run(of.store, func(t *testing.T) {
			f := newFixture(t, db)
			for _, c := range of.calls(t, f, db) {
				f.take()
				require.NoError(t, c.run(t.Context()), c.name)
				r := RoundTrips{Store: of.store, Call: c.name, Stock: c.stock}
				for _, e := range f.take() {
					if strings.HasSuffix(e.Plan, "/explain") {
						continue // the write that was refused counts it
					}
					r.Took += e.RoundTrips
					r.Statements += e.Statements
				}
				rows = append(rows, r)
				limit := c.stock
				if c.apart && !db.Dialect.Traits().AheadInAtomic {
					limit++
				}
				if r.Took > limit {
					t.Errorf("%s took %d round trips, its budget is %d", c.name, r.Took, limit)
				}
			}
		})
	}
	if t.Failed() {
		return
	}
	var table strings.Builder
	require.NoError(t, WriteRoundTrips(&table, rows))
	if *roundTripsFile != "" {
		require.NoError(t, os.WriteFile(*roundTripsFile, []byte(table.String()), 0o644))
		return
	}
	if db.RoundTrips != "" {
		document, err := os.ReadFile(db.RoundTrips)
		require.NoError(t, err)
		for row := range strings.Lines(table.String()) {
			require.Contains(t, string(document), row, "%s is out of date", db.RoundTrips)
		}
	}
}

// only drops what a call returns beside its error.
func only[T any](_ T, err error) error { return err }
