package schema

import (
	"cmp"
	"context"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// exists says whether the keyspace is there.
func exists(ctx context.Context, admin cql.Admin, keyspace string) (bool, error) {
	rows, err := admin.Query(ctx, `SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?`, keyspace)
	if err != nil {
		return false, fmt.Errorf("look for keyspace %q: %w", keyspace, err)
	}
	return len(rows) > 0, nil
}

// tableNames lists the tables of the keyspace.
func tableNames(ctx context.Context, admin cql.Admin, keyspace string) (map[string]bool, error) {
	rows, err := admin.Query(ctx, `SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?`, keyspace)
	if err != nil {
		return nil, fmt.Errorf("list tables of keyspace %q: %w", keyspace, err)
	}
	names := map[string]bool{}
	for _, row := range rows {
		names[textOf(row, "table_name")] = true
	}
	return names, nil
}

// live reads the model of a keyspace from the server's own tables.
func (s server) live(ctx context.Context, admin cql.Admin, keyspace string) (*Model, error) {
	m := newModel()
	query := `SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?`
	if s.transactions {
		query = `SELECT table_name, transactions FROM system_schema.tables WHERE keyspace_name = ?`
	}
	rows, err := admin.Query(ctx, query, keyspace)
	if err != nil {
		return nil, fmt.Errorf("list tables of keyspace %q: %w", keyspace, err)
	}
	for _, row := range rows {
		t := &Table{Columns: map[string]Column{}}
		if s.transactions {
			options, _ := row["transactions"].(map[string]string)
			t.Transactions = cmp.Or(options["enabled"], "false") // nothing said is none
		}
		m.Tables[textOf(row, "table_name")] = t
	}
	rows, err = admin.Query(ctx, `SELECT table_name, column_name, type, kind, position, clustering_order FROM system_schema.columns WHERE keyspace_name = ?`, keyspace)
	if err != nil {
		return nil, fmt.Errorf("list columns of keyspace %q: %w", keyspace, err)
	}
	for _, row := range rows {
		t := m.Tables[textOf(row, "table_name")]
		if t == nil {
			continue // a view or an index table
		}
		p := &parser{}
		if p.tokens, err = lex(textOf(row, "type")); err != nil {
			return nil, err
		}
		position, _ := row["position"].(int64)
		t.Columns[textOf(row, "column_name")] = Column{
			Type: p.cqlType(), Kind: textOf(row, "kind"), Position: int(position), Order: textOf(row, "clustering_order"),
		}
	}
	if rows, err = admin.Query(ctx, `SELECT type_name FROM system_schema.types WHERE keyspace_name = ?`, keyspace); err != nil {
		return nil, fmt.Errorf("list types of keyspace %q: %w", keyspace, err)
	}
	for _, row := range rows {
		m.Types[textOf(row, "type_name")] = userType
	}
	if rows, err = admin.Query(ctx, `SELECT index_name, table_name FROM system_schema.indexes WHERE keyspace_name = ?`, keyspace); err != nil {
		return nil, fmt.Errorf("list indexes of keyspace %q: %w", keyspace, err)
	}
	for _, row := range rows {
		m.Indexes[textOf(row, "index_name")] = textOf(row, "table_name")
	}
	return m, nil
}

func textOf(row cql.Row, column string) string {
	s, _ := row[column].(string)
	return s
}
