package interchange

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// stockSchema makes stock's tables in a new keyspace.
func stockSchema(t *testing.T, n *cassandratest.Node) string {
	t.Helper()
	ks := cassandratest.UniqueName()
	o, err := cassandra.New().ParseOptions(map[string]any{"hosts": n.Addr(), "keyspace": ks})
	if err != nil {
		t.Fatal(err)
	}
	admin, err := o.OpenAdmin(t.Context(), backend.Env{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	tool := &schema.Tool{Admin: admin, Set: schema.Cassandra(), Keyspace: ks, Out: t.Output()}
	if err := tool.Create(t.Context(), schema.Replication{}); err != nil {
		t.Fatal(err)
	}
	if err := tool.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ks
}

// dumped are the tables whose deletions differ by how statements are made. Each
// costs a Java process, so those that only ever see single rows deleted are left
// out.
var dumped = []string{"executions", "history_node", "tasks", "tasks_v2", "task_queue_user_data"}

// compareDeletions looks at the files on disk: our stores may leave no deletion
// that stock's do not leave. It halts the node.
func compareDeletions(t *testing.T, n *cassandratest.Node, theirs, ours string) {
	t.Helper()
	if err := n.Halt(); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, table := range dumped {
		a, b := deletions(t, n, theirs, table), deletions(t, n, ours, table)
		total += len(a)
		more := 0
		for what := range b {
			if a[what] {
				continue
			}
			if more++; more <= 5 {
				t.Errorf("%s: ours left a deletion that stock did not: %s", table, what)
			}
		}
	}
	if total == 0 {
		t.Error("no deletion was found: the comparison has stopped reaching the disk")
	}
	t.Logf("%d deletions of stock's compared", total)
}

var moment = regexp.MustCompile(`"(marked_deleted|local_delete_time|tstamp)" ?: ?"[^"]*",?`)

// deletions lists everything in a table's files that says "deleted", without the time.
func deletions(t *testing.T, n *cassandratest.Node, keyspace, table string) map[string]bool {
	t.Helper()
	all, err := n.Dump(context.WithoutCancel(t.Context()), keyspace, table)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return moment.ReplaceAllString(string(b), "")
	}
	for _, p := range all {
		key := fmt.Sprint(p.Partition.Key)
		if p.Partition.Deletion != nil {
			out["partition "+key] = true
		}
		for _, r := range p.Rows {
			row := key + " " + text(r.Clustering)
			switch {
			case r.Type != "row" && r.Type != "static_block":
				out[r.Type+" "+key+" "+text(r.Start)+text(r.End)] = true
			case r.Deletion != nil:
				out["row "+row] = true
			}
			for _, c := range r.Cells {
				if c.Deletion != nil {
					out["cell "+row+" "+c.Name+text(c.Path)] = true
				}
			}
		}
	}
	return out
}
