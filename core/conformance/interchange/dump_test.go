package interchange

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
)

// ephemeral are columns that hold the moment of the write.
var ephemeral = map[string]bool{"cluster_membership.last_heartbeat": true}

// ttlStep is what remaining lives are rounded to, in seconds: the two keyspaces are
// written one after the other. All lives are whole multiples of it, so that two of
// them are rounded apart only half of it after the first was given.
const ttlStep = 3600

// dump returns all rows of all tables but those of the schema's version, one
// line each with every column that is not null and what remains of its life.
func dump(t *testing.T, s *gocql.Session, keyspace string) map[string][]string {
	t.Helper()
	meta, err := s.KeyspaceMetadata(keyspace)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string][]string{}
	for name, table := range meta.Tables {
		if name == "schema_version" || name == "schema_update_history" {
			continue
		}
		tables[name] = rows(t, s, name, table)
	}
	return tables
}

func rows(t *testing.T, s *gocql.Session, name string, table *gocql.TableMetadata) []string {
	t.Helper()
	columns := slices.Clone(table.OrderedColumns)
	selected := slices.Clone(columns)
	for _, c := range columns {
		if cm := table.Columns[c]; cm.Kind == gocql.ColumnRegular && !collection(cm) {
			selected = append(selected, fmt.Sprintf("TTL(%s) AS ttl_%s", c, c))
		}
	}
	iter := s.Query("SELECT " + strings.Join(selected, ", ") + " FROM " + name).Iter()
	var lines []string
	for {
		row := map[string]any{}
		for _, c := range selected {
			if cm := table.Columns[c]; cm != nil && !collection(cm) {
				row[c] = new(raw)
			}
		}
		if !iter.MapScan(row) {
			break
		}
		var b strings.Builder
		for _, c := range columns {
			var text string
			switch v := row[c].(type) {
			case raw:
				text = v.text
			case *raw:
				text = v.text
			default:
				text = fmt.Sprint(v)
			}
			switch {
			case text == "" || text == "map[]" || text == "[]":
				continue
			case ephemeral[name+"."+c]:
				text = "now"
			}
			fmt.Fprintf(&b, " %s=%s", c, text)
			if ttl, _ := row["ttl_"+c].(int); ttl > 0 {
				fmt.Fprintf(&b, " (for %d s)", (ttl+ttlStep/2)/ttlStep*ttlStep)
			}
		}
		lines = append(lines, b.String())
	}
	if err := iter.Close(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	sort.Strings(lines)
	for _, line := range lines {
		t.Logf("%s%s", name, line)
	}
	return lines
}

func collection(c *gocql.ColumnMetadata) bool {
	kind := c.Type.Type()
	return kind == gocql.TypeMap || kind == gocql.TypeSet || kind == gocql.TypeList
}

// raw tells null from zero.
type raw struct{ text string }

// UnmarshalCQL implements gocql.Unmarshaler.
func (r *raw) UnmarshalCQL(_ gocql.TypeInfo, data []byte) error {
	r.text = ""
	if data != nil {
		r.text = fmt.Sprintf("%q", data)
	}
	return nil
}

// tombstones reads a table whole and returns how many tombstones the server
// came upon, by its own trace. The server writes that beside its work, and drops
// it when it has too much of that: the table is read again then.
func tombstones(t *testing.T, s *gocql.Session, table string) int {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		tr := &trace{}
		if err := s.Query("SELECT * FROM " + table).Trace(tr).PageSize(5000).Iter().Close(); err != nil {
			t.Fatal(err)
		}
		if total, found := tr.tombstones(s); found {
			return total
		}
	}
	t.Fatalf("no trace of reading %s", table)
	return 0
}

type trace struct{ ids [][]byte }

// Trace implements gocql.Tracer.
func (tr *trace) Trace(id []byte) { tr.ids = append(tr.ids, id) }

// tombstones adds up what a trace says of them once it is whole: its end is the last
// that is written of it (org.apache.cassandra.tracing.TraceStateImpl, one thread).
func (tr *trace) tombstones(s *gocql.Session) (total int, found bool) {
	for _, id := range tr.ids {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			var micros *int
			err := s.Query(`SELECT duration FROM system_traces.sessions WHERE session_id = ?`, id).Consistency(gocql.One).Scan(&micros)
			if err == nil && micros != nil {
				break
			}
			if time.Now().After(deadline) {
				return 0, false
			}
		}
		iter := s.Query(`SELECT activity FROM system_traces.events WHERE session_id = ?`, id).Consistency(gocql.One).Iter()
		for text := ""; iter.Scan(&text); {
			var live, dead int
			if n, _ := fmt.Sscanf(text, "Read %d live rows and %d tombstone cells", &live, &dead); n == 2 {
				total, found = total+dead, true
			}
		}
		if iter.Close() != nil {
			return 0, false
		}
	}
	return total, found
}
