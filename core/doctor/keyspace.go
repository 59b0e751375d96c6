package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// replication checks how many copies of each row there are.
func (e *examination) replication(ctx context.Context) {
	const name = "replication"
	options, err := e.replicationOptions(ctx)
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
	e.commitLog(ctx, slices.Max(slices.Collect(maps.Values(copies))))
}

// commitLog asks a Cassandra when it syncs what it acknowledges; releases from 4.0 on
// say so.
func (e *examination) commitLog(ctx context.Context, copies int) {
	if e.report.Dialect == "ycql" {
		return // its log is replicated before it acknowledges
	}
	const name = "commit log"
	rows, err := e.admin.Query(ctx, `SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'`)
	if err == nil && len(rows) == 0 {
		err = errNoAnswer
	}
	if err != nil {
		e.report.add(name, Skipped, "the server does not say when it syncs: "+err.Error(), "")
		return
	}
	sync, _ := rows[0]["value"].(string)
	status, found, hint := judgeCommitLog(sync, copies)
	e.report.add(name, status, found, hint)
}

// judgeCommitLog: with commitlog_sync: periodic a replay ends at the last marker that
// was written into the log, which is every 100 ms, and synced, which is every ten
// seconds (CASSANDRA-13987). Other copies make good for a node, but one has none.
func judgeCommitLog(sync string, copies int) (status Status, found, hint string) {
	switch {
	case sync != "periodic":
		return Good, sync + ": what is acknowledged is synced", ""
	case copies > 1:
		return Good, "periodic: what is acknowledged is safe as long as copies do not crash together", ""
	default:
		return Warning, "periodic, and 1 copy: when the node's process dies, up to 100 ms of what it acknowledged are lost, and up to 10 s with its machine: workflows may stand still for ever",
			"set commitlog_sync: batch (or group), or keep three copies"
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

func (e *examination) replicationOptions(ctx context.Context) (map[string]string, error) {
	rows, err := e.admin.Query(ctx, `SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?`, e.Opener.Keyspace())
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errNoAnswer
	}
	options, ok := rows[0]["replication"].(map[string]string)
	if !ok {
		return nil, fmt.Errorf("it is given as a %T", rows[0]["replication"])
	}
	return options, nil
}

// tablets lists how the tables are split, which only YugabyteDB says.
func (e *examination) tablets(ctx context.Context) {
	if e.report.Dialect != "ycql" {
		return
	}
	rows, err := e.admin.Query(ctx, `SELECT table_name FROM system.partitions WHERE keyspace_name = ?`, e.Opener.Keyspace())
	if err != nil {
		e.report.add("tablets", Warning, "they cannot be listed: "+err.Error(), "")
		return
	}
	counts := map[string]int{}
	for _, row := range rows {
		if table, ok := row["table_name"].(string); ok {
			counts[table]++
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
