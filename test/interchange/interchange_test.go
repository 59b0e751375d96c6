package interchange

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	p "go.temporal.io/server/common/persistence"
	stock "go.temporal.io/server/common/persistence/cassandra"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/resolver"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

var (
	seed  = flag.Uint64("interchange.seed", 0, "seed of the script; 0 draws one")
	calls = flag.Int("interchange.calls", 400, "store calls in the script")
)

// patience is how long both wait for an answer: what one is told in time and the other
// is not would be a difference.
const patience = time.Minute

// script returns the next call of a random kind.
func (s *script) next() call {
	kinds := []struct {
		weight int
		draw   func() call
	}{
		{14, s.create},
		{30, s.update},
		{6, s.set},
		{6, s.resolve},
		{4, s.deleteRun},
		{6, s.readRun},
		{2, s.listRuns},
		{6, s.addTasks},
		{6, s.consumeTasks},
		{4, s.dlq},
		{3, s.updateShard},
		{6, s.history},
		{6, s.taskQueue},
		{3, s.stickyQueue},
		{14, s.createTasks},
		{8, s.consumeQueue},
		{2, s.deleteQueue},
		{6, s.updateUserData},
		{2, s.readUserData},
		{8, s.namespace},
		{4, s.cluster},
		{4, s.messages},
		{4, s.messagesV2},
		{6, s.nexus},
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	at := s.rand.IntN(total)
	for _, k := range kinds {
		if at -= k.weight; at < 0 {
			return k.draw()
		}
	}
	panic("unreachable")
}

func newArm(t *testing.T, f p.DataStoreFactory) *arm {
	t.Helper()
	t.Cleanup(f.Close)
	a := &arm{close: f.Close}
	var all [9]error
	a.shards, all[0] = f.NewShardStore()
	a.runs, all[1] = f.NewExecutionStore()
	a.classic, all[2] = f.NewTaskStore()
	a.fair, all[3] = f.NewFairTaskStore()
	a.spaces, all[4] = f.NewMetadataStore()
	a.clusters, all[5] = f.NewClusterMetadataStore()
	a.queue, all[6] = f.NewQueue(p.NamespaceReplicationQueueType)
	a.queueV2, all[7] = f.NewQueueV2()
	a.endpoints, all[8] = f.NewNexusEndpointStore()
	if err := errors.Join(all[:]...); err != nil {
		t.Fatal(err)
	}
	return a
}

func stockArm(t *testing.T, n *cassandratest.Node, keyspace string) *arm {
	cfg := config.Cassandra{
		Hosts: n.Host, Port: n.Port, Keyspace: keyspace, Consistency: &config.CassandraStoreConsistency{},
		ConnectTimeout: patience, Timeout: patience, WriteTimeout: patience,
	}
	return newArm(t, stock.NewFactory(cfg, resolver.NewNoopResolver(), "active", log.NewNoopLogger(), metrics.NoopMetricsHandler, serialization.NewSerializer()))
}

func ourArm(t *testing.T, n *cassandratest.Node, keyspace string) *arm {
	o, err := cassandra.New().ParseOptions(map[string]any{
		"hosts": n.Addr(), "keyspace": keyspace, "connectTimeout": patience.String(), "timeout": patience.String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := o.Open(t.Context(), backend.Env{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := store.NewDataStoreFactory(exec.New(conn.Session, conn.Dialect, nil), store.FactoryOptions{
		Name: "cassandra", Cluster: "active", Serializer: serialization.NewSerializer(), Release: func() { _ = conn.Session.Close() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return newArm(t, f)
}

func TestStockAndOursLeaveTheSameKeyspace(t *testing.T) {
	n := cassandratest.StartOwn(t)
	theirs, ours := stockSchema(t, n), stockSchema(t, n)
	arms := []*arm{stockArm(t, n, theirs), ourArm(t, n, ours)}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed: -interchange.seed=%d -interchange.calls=%d", *seed, *calls)

	s := newScript(*seed)
	counts := map[string]int{}
	var diverged int
	for i := range *calls {
		var c call
		switch i {
		case 0:
			c = s.firstShard()
		case 1:
			c = s.initQueue()
		default:
			c = s.next()
		}
		var answers [2]string
		var failures [2]error
		for j, a := range arms {
			answer, err := c.do(t.Context(), a)
			failures[j] = err
			answers[j] = render(t, answer)
		}
		outcome := "done"
		if failures[0] != nil {
			outcome = reflect.TypeOf(failures[0]).String()
		}
		counts[c.name+": "+outcome]++
		if fault := compareErrors(failures[0], failures[1]); fault != "" {
			t.Errorf("call %d, %s: %s", i, c.name, fault)
			diverged++
		}
		if failures[0] == nil && answers[0] != answers[1] {
			t.Errorf("call %d, %s answers differ:\nstock %s\nours  %s", i, c.name, around(answers[0], answers[1]), around(answers[1], answers[0]))
			diverged++
		}
		if diverged > 5 {
			t.Fatal("too many differences")
		}
	}
	for _, name := range sorted(counts) {
		t.Logf("%5d %s", counts[name], name)
	}
	compareRows(t, n.Session(t, ""), theirs, ours)
	if t.Failed() {
		return
	}
	for _, a := range arms {
		a.close()
	}
	compareDeletions(t, n, theirs, ours)
}

// around cuts a to where it begins to differ from b.
func around(a, b string) string {
	at := 0
	for at < len(a) && at < len(b) && a[at] == b[at] {
		at++
	}
	from, to := max(0, at-60), min(len(a), at+120)
	return a[from:to]
}

// compareErrors tells what is wrong with our error beside stock's. Types must
// agree; of a conflict on the current run ours may say more than stock's, for
// stock has only what Cassandra showed with the refusal.
func compareErrors(stock, ours error) string {
	var a, b *p.CurrentWorkflowConditionFailedError
	var unknown *p.ConditionFailedError
	if errors.As(stock, &unknown) && errors.As(ours, &b) && strings.Contains(unknown.Msg, "unknown condition") {
		return "" // the current run is the expected one, but not closed: stock does not look at that
	}
	if reflect.TypeOf(stock) != reflect.TypeOf(ours) {
		return fmt.Sprintf("stock's error is %T (%.300v), ours %T (%.300v)", stock, stock, ours, ours)
	}
	if errors.As(stock, &a) && errors.As(ours, &b) {
		if a.RunID != b.RunID {
			return fmt.Sprintf("stock's current run is %s, ours %s", a.RunID, b.RunID)
		}
		if len(a.RequestIDs) > 0 && !reflect.DeepEqual(keys(a.RequestIDs), keys(b.RequestIDs)) {
			return fmt.Sprintf("stock's request IDs are %v, ours %v", keys(a.RequestIDs), keys(b.RequestIDs))
		}
		if len(a.RequestIDs) > 0 && (a.State != b.State || a.Status != b.Status || a.LastWriteVersion != b.LastWriteVersion) {
			return fmt.Sprintf("stock says %v, ours %v", a, b)
		}
	}
	var x, y *p.WorkflowConditionFailedError
	if errors.As(stock, &x) && errors.As(ours, &y) && (x.DBRecordVersion != y.DBRecordVersion) {
		return fmt.Sprintf("stock says record version %d, ours %d", x.DBRecordVersion, y.DBRecordVersion)
	}
	return ""
}

func keys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func sorted(m map[string]int) []string { return keys(m) }

// render makes answers comparable: JSON sorts the keys of maps.
func render(t *testing.T, answer any) string {
	t.Helper()
	b, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "null", "[]") // no rows are no rows
}

// ignored are columns that hold the time of the call.
var ignored = map[string]bool{"cluster_membership.last_heartbeat": true}

// compareRows compares all tables of two keyspaces: every column, and of every
// plain column the seconds that it still lives.
func compareRows(t *testing.T, s *gocql.Session, theirs, ours string) {
	t.Helper()
	meta, err := s.KeyspaceMetadata(theirs)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for name, table := range meta.Tables {
		if strings.HasPrefix(name, "schema_") {
			continue
		}
		selection := []string{}
		for _, c := range table.OrderedColumns {
			if ignored[name+"."+c] {
				continue
			}
			selection = append(selection, c)
			plain := table.Columns[c].Kind == gocql.ColumnRegular && !strings.ContainsAny(table.Columns[c].Type.Type().String(), "<(") &&
				!slices.Contains([]gocql.Type{gocql.TypeMap, gocql.TypeSet, gocql.TypeList}, table.Columns[c].Type.Type())
			if plain {
				selection = append(selection, "TTL("+c+")")
			}
		}
		text := "SELECT " + strings.Join(selection, ", ") + " FROM %s." + name
		a, b := dumpRows(t, s, fmt.Sprintf(text, theirs)), dumpRows(t, s, fmt.Sprintf(text, ours))
		total += len(a)
		for _, key := range keys(union(a, b)) {
			if a[key] == 0 || b[key] == 0 {
				side := "stock's alone"
				if a[key] == 0 {
					side = "ours alone"
				}
				t.Errorf("%s has a row that is %s: %s", name, side, key)
			}
		}
	}
	if total < *calls/4 {
		t.Errorf("only %d rows were compared: the script has stopped reaching the tables", total)
	}
	t.Logf("%d rows compared", total)
}

func union(a, b map[string]int) map[string]int {
	all := map[string]int{}
	for k := range a {
		all[k] = 1
	}
	for k := range b {
		all[k] = 1
	}
	return all
}

// dumpRows returns the rows of a query as text. Lives are rounded, those of a day to a
// day: the two keyspaces were written one after the other, and are read some time
// later, which may be half an hour on a busy machine.
func dumpRows(t *testing.T, s *gocql.Session, text string) map[string]int {
	t.Helper()
	out := map[string]int{}
	iter := s.Query(text).Consistency(gocql.LocalQuorum).Iter()
	columns := iter.Columns()
	for {
		row := map[string]any{}
		if !iter.MapScan(row) {
			break
		}
		var b strings.Builder
		for _, c := range columns {
			v := row[c.Name]
			if seconds, ok := v.(int); ok && strings.HasPrefix(c.Name, "ttl(") {
				v = (seconds + 1800) / 3600
			}
			raw, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s=%s ", c.Name, raw)
		}
		out[b.String()]++
	}
	if err := iter.Close(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}
