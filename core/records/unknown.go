package records

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Unknown is something in a keyspace of which this program does not know what
// it is, and which no part of the stream has.
type Unknown struct {
	// Where names the place: "shard 7, type 9, namespace id ...", "column
	// tasks.color", "table colors".
	Where string
	// Rows that were counted; of a family of rows one is enough to know of it.
	Rows int64
}

func (u Unknown) String() string { return fmt.Sprintf("%s: %d rows or more", u.Where, u.Rows) }

// UnknownRows looks for rows of a shard that are of no known family, and for
// rows among its executions that are neither an execution nor the current one
// (what is left of a run that was deleted while it was written). Where a shard
// is not one partition there is nothing to look for: tables have one family.
func (s *Source) UnknownRows(ctx context.Context, shard int64) ([]Unknown, error) {
	if !s.ex.Traits().ShardPartition {
		return nil, nil
	}
	families, err := s.families(ctx, shard)
	if err != nil {
		return nil, err
	}
	var all []Unknown
	for _, f := range families {
		if _, known := f.category(); !known {
			all = append(all, Unknown{
				Where: fmt.Sprintf("shard %d, type %d, namespace id %s", shard, f.rowType, formatUUID(f.namespace)), Rows: 1,
			})
		}
	}
	rest, err := s.remnants(ctx, shard)
	return append(all, rest...), err
}

var readRows = &plan.Read{
	Name: "Records/rows", Table: plan.ShardRows, Eq: 2,
	Columns: []*plan.Column{plan.RowNamespace, plan.RowWorkflow, plan.RowRun, plan.RowTask, plan.RowCurrentRun, plan.RowExecution},
}

// executionRow is the task id of executions and current executions.
const executionRow int64 = -10

func (s *Source) remnants(ctx context.Context, shard int64) ([]Unknown, error) {
	var all []Unknown
	var token []byte
	for {
		rows, err := s.ex.Read(ctx, readRows, plan.Page{Size: s.o.PageRows, Token: token}, shard, rowExecution)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			if rows.Int(3) == executionRow && (!rows.Null(4) || !rows.Null(5)) {
				continue
			}
			all = append(all, Unknown{Rows: 1, Where: fmt.Sprintf(
				"shard %d, no execution and no current one: namespace id %s, workflow id %q, run id %s, task id %d",
				shard, formatUUID(rows.UUID(0)), rows.Text(1), formatUUID(rows.UUID(2)), rows.Int(3))})
		}
		token = rows.Token()
		if err := rows.Close(); err != nil {
			return nil, err
		}
		if token == nil {
			return all, nil
		}
	}
}

// notCarried are tables that are neither read nor missed. The server has had no
// use for cluster_metadata since cluster_metadata_info (schema 1.6).
var notCarried = []string{
	"cluster_membership", "cluster_metadata", "schema_version", "schema_update_history",
	"server_traits", "server_probe", "server_probe_plain",
}

// UnknownColumns looks in a keyspace for tables and columns that a dialect does
// not know, and counts the values that are not null. known is what the dialect
// knows: the columns of each of its tables. A count walks over the whole table,
// range by range; there is none where all columns are known.
func UnknownColumns(
	ctx context.Context, admin cql.Admin, keyspace string, known map[string][]string, traits cql.Traits,
) ([]Unknown, error) {
	rows, err := admin.Query(ctx,
		"SELECT table_name, column_name, kind, position FROM system_schema.columns WHERE keyspace_name = ?", keyspace)
	if err != nil {
		return nil, fmt.Errorf("columns of keyspace %s: %w", keyspace, err)
	}
	keys := make(map[string][]cql.Row)
	var all []Unknown
	unknown := make(map[string][]string) // columns by table
	for _, row := range rows {
		table, _ := row["table_name"].(string)
		column, _ := row["column_name"].(string)
		if row["kind"] == "partition_key" {
			keys[table] = append(keys[table], row)
		}
		if columns, ok := known[table]; !ok || !slices.Contains(columns, column) {
			unknown[table] = append(unknown[table], column)
		}
	}
	tables := make([]string, 0, len(unknown))
	for table := range unknown {
		tables = append(tables, table)
	}
	slices.Sort(tables)
	for _, table := range tables {
		if slices.Contains(notCarried, table) {
			continue
		}
		c := counter{admin: admin, table: quoted(keyspace) + "." + quoted(table), hash: hashCall(keys[table], traits)}
		if _, ok := known[table]; !ok {
			c.what = "*"
			n, err := c.count(ctx, traits.HashMin, traits.HashMax)
			if err != nil {
				return nil, err
			}
			all = append(all, Unknown{Where: "table " + table, Rows: n})
			continue
		}
		slices.Sort(unknown[table])
		for _, column := range unknown[table] {
			c.what = quoted(column)
			n, err := c.count(ctx, traits.HashMin, traits.HashMax)
			if err != nil {
				return nil, err
			}
			if n > 0 {
				all = append(all, Unknown{Where: "column " + table + "." + column, Rows: n})
			}
		}
	}
	return all, nil
}

// counter counts values of a table that are not null.
type counter struct {
	admin             cql.Admin
	table, hash, what string
}

// maxSplits bounds how often a range that the server cannot count is halved.
const maxSplits = 24

func (c *counter) count(ctx context.Context, first, last int64) (int64, error) {
	return c.counted(ctx, first, last, 0)
}

func (c *counter) counted(ctx context.Context, first, last int64, depth int) (int64, error) {
	// The hash of YCQL is an int, that of Cassandra a bigint: as text both fit.
	text := fmt.Sprintf("SELECT COUNT(%s) AS n FROM %s WHERE %s >= %d AND %s <= %d", c.what, c.table, c.hash, first, c.hash, last)
	rows, err := c.admin.Query(ctx, text)
	if err == nil && len(rows) == 1 {
		n, ok := rows[0]["n"].(int64)
		if !ok {
			return 0, fmt.Errorf("count of %s in %s is a %T", c.what, c.table, rows[0]["n"])
		}
		return n, nil
	}
	part := Part{Stage: HistoryStage, First: first, Last: last}
	a, b, more := part.Split()
	if ctx.Err() != nil || !more || depth >= maxSplits {
		return 0, fmt.Errorf("count values of %s in %s: %w", c.what, c.table, err)
	}
	n, err := c.counted(ctx, a.First, a.Last, depth+1)
	if err != nil {
		return 0, err
	}
	m, err := c.counted(ctx, b.First, b.Last, depth+1)
	return n + m, err
}

// hashCall is the hash of a table's partition key.
func hashCall(key []cql.Row, traits cql.Traits) string {
	slices.SortFunc(key, func(a, b cql.Row) int {
		x, _ := a["position"].(int64)
		y, _ := b["position"].(int64)
		return cmp.Compare(x, y)
	})
	names := make([]string, len(key))
	for i, row := range key {
		name, _ := row["column_name"].(string)
		names[i] = quoted(name)
	}
	function := "partition_hash"
	if traits.ShardPartition {
		function = "token"
	}
	return function + "(" + strings.Join(names, ", ") + ")"
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
