package cassandra_test

import (
	"reflect"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
	"github.com/temporal-ycql/temporal-ycql/dialect/render"
)

// Rows as Cassandra 5.0 shows them: those that exist, in clustering order, with
// key and condition columns; with all columns if the batch has IF [NOT] EXISTS.
func shardRow(rangeID any) cql.Row {
	return cql.Row{
		"shard_id": int64(7), "type": int64(0), "namespace_id": render.MustUUID("10000000-1000-f000-f000-000000000000"),
		"workflow_id": "20000000-1000-f000-f000-000000000000", "run_id": render.MustUUID("30000000-1000-f000-f000-000000000000"),
		"visibility_ts": int64(946684800000), "task_id": int64(-11), "range_id": rangeID,
	}
}

func fill(b byte) (u [16]byte) {
	for i := range u {
		u[i] = b
	}
	return u
}

func executionRow(run [16]byte, more cql.Row) cql.Row {
	row := cql.Row{
		"shard_id": int64(7), "type": int64(1), "namespace_id": fill(0x11), "workflow_id": "order-17", "run_id": run,
		"visibility_ts": int64(946684800000), "task_id": int64(-10),
	}
	for k, v := range more {
		row[k] = v
	}
	return row
}

// nulls is a row that ScyllaDB shows for one that does not exist.
func nulls(of cql.Row) cql.Row {
	row := cql.Row{}
	for k := range of {
		row[k] = nil
	}
	return row
}

var currentRow = render.MustUUID("30000000-0000-f000-f000-000000000001")

func TestObserve(t *testing.T) {
	type values = map[*plan.Column]any
	found := func(v values) plan.Seen { return plan.Seen{Sight: plan.Found, Values: v} }
	missing := plan.Seen{Sight: plan.Missing}
	unseen := plan.Seen{}
	run, other := fill(0x22), fill(0x33)
	lost := shardRow(int64(41))
	current := executionRow(currentRow, cql.Row{"current_run_id": other})
	execution := executionRow(run, cql.Row{"db_record_version": int64(9)})
	tests := []struct {
		name   string
		sample string
		rows   []cql.Row
		want   []plan.Seen // of the first mutations
	}{
		{
			"a refused batch shows condition columns of every row", "execution-update-current",
			[]cql.Row{lost, current, execution},
			[]plan.Seen{
				found(values{plan.ShardRangeID: int64(41)}), found(values{plan.CurrentRunID: other}), found(values{plan.RecordVersion: int64(9)}), unseen,
			},
		},
		{
			"rows may come in any order", "execution-update-current",
			[]cql.Row{execution, current, lost},
			[]plan.Seen{
				found(values{plan.ShardRangeID: int64(41)}), found(values{plan.CurrentRunID: other}), found(values{plan.RecordVersion: int64(9)}), unseen,
			},
		},
		{
			"a row that is not shown does not exist", "execution-update-current",
			[]cql.Row{shardRow(int64(40)), execution},
			[]plan.Seen{found(values{plan.ShardRangeID: int64(40)}), missing, found(values{plan.RecordVersion: int64(9)}), unseen},
		},
		{
			"ScyllaDB shows missing rows as nulls", "execution-update-current",
			[]cql.Row{shardRow(int64(40)), nulls(current), execution},
			[]plan.Seen{found(values{plan.ShardRangeID: int64(40)}), missing, found(values{plan.RecordVersion: int64(9)}), unseen},
		},
		{
			"no row of a batch exists", "execution-update-current", nil,
			[]plan.Seen{missing, missing, missing, unseen},
		},
		{
			"IF NOT EXISTS shows all columns, blobs with their encodings", "execution-create-bypass-current",
			[]cql.Row{executionRow(run, cql.Row{
				"execution": []byte("i"), "execution_encoding": "Proto3", "next_event_id": int64(3), "db_record_version": int64(4), "range_id": nil,
				"checksum": nil, "checksum_encoding": nil,
			})},
			[]plan.Seen{missing, found(values{
				plan.ExecutionInfo: plan.Blob{Data: []byte("i"), Encoding: "Proto3"}, plan.NextEventID: int64(3), plan.RecordVersion: int64(4), plan.Checksum: nil,
			})},
		},
		{
			"a single statement shows its condition without a key", "shard-update",
			[]cql.Row{{"range_id": int64(44)}},
			[]plan.Seen{found(values{plan.ShardRangeID: int64(44)})},
		},
		{"a single statement shows nothing of a missing row", "shard-update", nil, []plan.Seen{missing}},
		{"or an empty row", "shard-update", []cql.Row{{}}, []plan.Seen{missing}},
		{
			"a single null does not say whether the row exists", "shard-update",
			[]cql.Row{{"range_id": nil}},
			[]plan.Seen{unseen},
		},
		{"IF EXISTS on a missing row", "cluster-delete", nil, []plan.Seen{missing}},
	}
	d := cassandra.New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := d.Observe(sample(t, tt.sample).Write, cql.Result{Rows: tt.rows})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got[:len(tt.want)], tt.want) {
				t.Errorf("Observe() =\n%v, want\n%v", got[:len(tt.want)], tt.want)
			}
		})
	}
}

func TestObserveNamesMalformedColumns(t *testing.T) {
	w := sample(t, "execution-create-bypass-current").Write
	for name, row := range map[string]cql.Row{
		"a number of the wrong type":     {"next_event_id": "three"},
		"a blob of the wrong type":       {"execution": "i", "execution_encoding": "Proto3"},
		"an encoding of another type":    {"execution": []byte("i"), "execution_encoding": int64(1)},
		"a version that is not a number": {"db_record_version": []byte{1}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cassandra.New().Observe(w, cql.Result{Rows: []cql.Row{executionRow(fill(0x22), row)}}); err == nil {
				t.Error("Observe() accepts it")
			}
		})
	}
}

// A refusal of an ordered write belongs to one of its steps; nothing follows
// for the rows of the others.
func TestObserveOrdered(t *testing.T) {
	cond := []plan.Cond{{Test: plan.RowPresent}}
	w := &plan.Write{Name: "Test", Scope: plan.Ordered, Mutations: []plan.Mutation{
		{Table: plan.NamespaceIDs, Op: plan.Delete, Key: []any{fill(1)}, Conds: cond},
		{Table: plan.NamespaceIDs, Op: plan.Delete, Key: []any{fill(2)}, Conds: cond},
	}}
	seen, err := cassandra.New().Observe(w, cql.Result{})
	if err != nil || seen[0].Sight != plan.Unseen || seen[1].Sight != plan.Unseen {
		t.Fatalf("Observe() = %v, %v, want nothing seen", seen, err)
	}
}
