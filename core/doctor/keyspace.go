package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

var (
	selectReplication = &cql.Statement{
		Text: `SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?`, Plan: "Doctor", Idempotent: true,
	}
	selectTablets = &cql.Statement{
		Text: `SELECT table_name FROM system.partitions WHERE keyspace_name = ?`, Plan: "Doctor", Idempotent: true,
	}
)

// replication checks how many copies of each row there are.
func (e *examination) replication(ctx context.Context, s cql.Session) {
	const name = "replication"
	options, err := replicationOf(ctx, s, e.Opener.Keyspace())
	if err != nil {
		e.report.add(name, Warning, "it cannot be read: "+err.Error(), "")
		return
	}
	copies := map[string]int{} // by data center, or "" for all
	for key, value := range options {
		n, err := strconv.Atoi(value)
		switch {
		case key == "class":
		case err != nil:
			e.report.add(name, Warning, fmt.Sprintf("%s is %q, which is no number", key, value), "")
			return
		case key == "replication_factor":
			copies[""] = n
		default:
			copies[key] = n
		}
	}
	if len(copies) == 0 {
		e.report.add(name, Warning, "the cluster does not say how many copies there are", "three, in three zones, is what production wants")
		return
	}
	for _, dc := range slices.Sorted(maps.Keys(copies)) {
		e.copies(name, dc, copies[dc])
	}
}

// copies judges a number of copies: writes and reads are acknowledged by a
// majority of them.
func (e *examination) copies(name, dc string, n int) {
	if dc != "" {
		name += " in " + dc
	}
	quorum := n/2 + 1
	found := fmt.Sprintf("%d copies, %d must answer", n, quorum)
	switch {
	case n == 1:
		e.report.add(name, Warning, "1 copy: what is on a node is lost with it", "three, in three zones, is what production wants")
	case dc == "" && e.up > 0 && e.up < quorum:
		e.report.add(name, Problem, fmt.Sprintf("%s, and %d nodes are there", found, e.up), "bring nodes back before a server is started")
	case n%2 == 0:
		e.report.add(name, Warning, found, fmt.Sprintf("an odd number stands the same losses with one copy less: %d", n-1))
	default:
		e.report.add(name, Good, found, "")
	}
}

func replicationOf(ctx context.Context, s cql.Session, keyspace string) (map[string]string, error) {
	rows, err := s.Query(ctx, cql.Call{Statement: selectReplication, Args: []any{keyspace}}, cql.Page{})
	if err != nil {
		return nil, err
	}
	var raw cql.Raw
	if !rows.Scan(&raw) {
		return nil, errors.Join(errNoAnswer, rows.Close())
	}
	options, err := textMap(raw)
	return options, errors.Join(err, rows.Close())
}

// textMap decodes a map<text, text> (protocol v4, 6.10): a count, then keys and
// values, each with its length.
func textMap(raw []byte) (map[string]string, error) {
	bad := errors.New("a map of texts is cut short")
	number := func() (int, bool) {
		if len(raw) < 4 {
			return 0, false
		}
		n := int(int32(binary.BigEndian.Uint32(raw)))
		raw = raw[4:]
		return n, n >= 0
	}
	text := func() (string, bool) {
		n, ok := number()
		if !ok || n > len(raw) {
			return "", false
		}
		s := string(raw[:n])
		raw = raw[n:]
		return s, true
	}
	n, ok := number()
	if !ok {
		return nil, bad
	}
	out := map[string]string{}
	for range n {
		key, ok := text()
		if !ok {
			return nil, bad
		}
		if out[key], ok = text(); !ok {
			return nil, bad
		}
	}
	return out, nil
}

// tablets lists how the tables are split, which only YugabyteDB says.
func (e *examination) tablets(ctx context.Context, s cql.Session) {
	if e.report.Dialect != "ycql" {
		return
	}
	counts := map[string]int{}
	page := cql.Page{}
	for {
		rows, err := s.Query(ctx, cql.Call{Statement: selectTablets, Args: []any{e.Opener.Keyspace()}}, page)
		if err != nil {
			e.report.add("tablets", Warning, "they cannot be listed: "+err.Error(), "")
			return
		}
		var table string
		for rows.Scan(&table) {
			counts[table]++
		}
		page.Token = rows.Next()
		if err := rows.Close(); err != nil {
			e.report.add("tablets", Warning, "they cannot be listed: "+err.Error(), "")
			return
		}
		if len(page.Token) == 0 {
			break
		}
	}
	var parts []string
	for _, table := range []string{"shards", "executions", "current_executions", "history_tasks", "history_node", "tasks"} {
		parts = append(parts, fmt.Sprintf("%s %d", table, counts[table]))
	}
	found := strings.Join(parts, ", ")
	switch {
	case len(counts) == 0:
		e.report.add("tablets", Warning, "none are listed for the keyspace", "new tables may take a minute to be listed")
	case e.up > 0 && counts["executions"] < e.up:
		e.report.add("tablets", Warning, found, fmt.Sprintf("executions has fewer tablets than there are nodes (%d): some nodes have nothing to do", e.up))
	default:
		e.report.add("tablets", Good, found, "")
	}
}
