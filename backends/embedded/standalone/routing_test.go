package standalone_test

import (
	"fmt"
	"testing"

	ybgocql "github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
)

// The default policy of yugabyte/gocql asks system.partitions before a query of
// every table that it does not find there, and looks the key of a prepared statement
// up in its metadata. Where it finds both, a request of any form is one round trip
// once its text is prepared.
func TestTheYugabyteDriverRoutesEveryFormOfRequest(t *testing.T) {
	n := start(t, standalone.Options{Dialect: parse.YCQL})
	var c server.Counters
	s := ybSession(t, n, &c)
	ybMust(t, s, "CREATE KEYSPACE app")
	ybMust(t, s, "CREATE TABLE app.leases (id int PRIMARY KEY, range_id bigint) WITH transactions = {'enabled': true} AND tablets = 1")
	ybMust(t, s, "CREATE TABLE app.runs (ns uuid, id text, v int, m map<text, blob>, PRIMARY KEY ((ns, id))) WITH transactions = {'enabled': true}")
	ybMust(t, s, "CREATE TABLE app.q (name text, sub int, task bigint, data blob, PRIMARY KEY ((name), sub, task))")
	ns := ybgocql.TimeUUID()
	ybMust(t, s, "INSERT INTO app.leases (id, range_id) VALUES (?, ?)", 1, int64(7))

	const block = "BEGIN TRANSACTION " +
		"UPDATE app.leases SET range_id = ? WHERE id = ? IF range_id = ? ELSE ERROR; " +
		"INSERT INTO app.runs (ns, id, v, m) VALUES (?, ?, ?, ?) IF NOT EXISTS OR v < ? ELSE ERROR; END TRANSACTION;"
	runBlock := func(id string, v int) error {
		return s.Query(block, int64(7), 1, int64(7), ns, id, v, map[string][]byte{"a": {1}}, v).Exec()
	}
	runBatch := func(task int64, lease int64) (applied bool, err error) {
		b := s.NewBatch(ybgocql.UnloggedBatch)
		b.Query("INSERT INTO app.q (name, sub, task, data) VALUES (?, ?, ?, ?) RETURNS STATUS AS ROW", "q", 0, task, []byte{1})
		b.Query("UPDATE app.q SET data = ? WHERE name = ? AND sub = ? AND task = ? IF data = ? RETURNS STATUS AS ROW", []byte{byte(lease)}, "q", -1, int64(0), []byte{byte(lease)})
		row := map[string]any{}
		applied, iter, err := s.MapExecuteBatchCAS(b, row)
		if err != nil {
			return false, err
		}
		defer iter.Close()
		if !applied {
			return false, fmt.Errorf("the insert was not applied: %v", row)
		}
		row = map[string]any{}
		if !iter.MapScan(row) {
			return false, fmt.Errorf("no second row: %w", iter.Close())
		}
		return row["[applied]"] == true, nil
	}
	ybMust(t, s, "INSERT INTO app.q (name, sub, task, data) VALUES (?, ?, ?, ?)", "q", -1, int64(0), []byte{9})

	for _, tt := range []struct {
		name string
		run  func(i int) error
	}{
		{"a block", func(i int) error { return runBlock(fmt.Sprint(i), i+1) }},
		{"a batch with status whose guard holds", func(i int) error {
			applied, err := runBatch(int64(i), 9)
			if err == nil && !applied {
				err = fmt.Errorf("the guard did not hold")
			}
			return err
		}},
		{"a batch with status whose guard does not hold", func(i int) error {
			applied, err := runBatch(int64(i), 3)
			if err == nil && applied {
				err = fmt.Errorf("the guard held")
			}
			return err
		}},
		{"a read by a key of two columns", func(int) error {
			return s.Query("SELECT v FROM app.runs WHERE id = ? AND ns = ?", "1", ns).Scan(new(int))
		}},
		{"a range", func(int) error {
			return s.Query("SELECT task FROM app.q WHERE name = ? AND sub = ? AND task >= ? LIMIT ?", "q", 0, int64(1), 10).Iter().Close()
		}},
		{"a scan by hash", func(int) error {
			return s.Query("SELECT id FROM app.runs WHERE partition_hash(ns, id) >= ? AND partition_hash(ns, id) <= ?", 0, 65535).Iter().Close()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.run(1); err != nil { // prepares
				t.Fatal(err)
			}
			before := c.Counts()
			if err := tt.run(2); err != nil {
				t.Fatal(err)
			}
			if got := c.Counts().Sub(before); got.Requests != 1 || got.Prepares != 0 {
				t.Errorf("%d requests and %d prepares, want 1 and 0", got.Requests, got.Prepares)
			}
		})
	}
}
