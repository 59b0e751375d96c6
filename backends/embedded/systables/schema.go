package systables

import (
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

const virtualSchema = "system_virtual_schema"

// spaces are the keyspaces that a table of system_schema (all but the virtual one)
// or of system_virtual_schema (that one) tells of.
func (t *Tables) spaces(of *catalog.Table, schema *catalog.Schema) []*catalog.Keyspace {
	virtual := of != nil && of.Keyspace == virtualSchema
	var list []*catalog.Keyspace
	for _, s := range []*catalog.Schema{t.schema, schema} {
		for name, ks := range s.Keyspaces {
			if (name == virtualSchema) == virtual {
				list = append(list, ks)
			}
		}
	}
	return list
}

// all are all tables but those of the virtual keyspace.
func (t *Tables) all(schema *catalog.Schema) []*catalog.Table {
	var list []*catalog.Table
	for _, ks := range t.spaces(nil, schema) {
		for _, table := range ks.Tables {
			list = append(list, table)
		}
	}
	return list
}

func (t *Tables) keyspaces(of *catalog.Table, schema *catalog.Schema) []row {
	var rows []row
	for _, ks := range t.spaces(of, schema) {
		rows = append(rows, row{
			"keyspace_name": text(ks.Name), "durable_writes": boolean(ks.DurableWrites), "replication": mapOf(ks.Replication),
		})
	}
	return rows
}

func (t *Tables) tables(of *catalog.Table, schema *catalog.Schema) []row {
	var rows []row
	for _, ks := range t.spaces(of, schema) {
		for _, table := range ks.Tables {
			if t.dialect == parse.YCQL {
				rows = append(rows, ycqlTable(table))
			} else {
				rows = append(rows, cassandraTable(table))
			}
		}
	}
	return rows
}

func ycqlTable(t *catalog.Table) row {
	return row{
		"keyspace_name": text(t.Keyspace), "table_name": text(t.Name), "flags": set("compound"), "id": uuid(t.ID),
		"default_time_to_live": integer(t.DefaultTTL), "transactions": mapOf(enabled(t.Transactional)),
	}
}

func enabled(transactional bool) map[string]string {
	return map[string]string{"enabled": strconv.FormatBool(transactional)}
}

// cassandraTable shows the options that were given, and the others as Cassandra 5
// would fill them in (TableParams.java).
func cassandraTable(t *catalog.Table) row {
	compaction := option(t, "compaction", catalog.Option{Map: map[string]string{
		"class":         "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy",
		"max_threshold": "32", "min_threshold": "4",
	}}).Map
	bloom := 0.01
	if strings.HasSuffix(compaction["class"], "LeveledCompactionStrategy") {
		bloom = 0.1
	}
	flags := set("compound")
	if t.CompactStorage {
		flags = set()
	}
	r := row{
		"keyspace_name": text(t.Keyspace), "table_name": text(t.Name), "flags": flags, "id": uuid(t.ID),
		"additional_write_policy":     textOption(t, "additional_write_policy", "99p"),
		"bloom_filter_fp_chance":      doubleOption(t, "bloom_filter_fp_chance", bloom),
		"caching":                     mapOf(option(t, "caching", catalog.Option{Map: map[string]string{"keys": "ALL", "rows_per_partition": "NONE"}}).Map),
		"comment":                     textOption(t, "comment", ""),
		"compaction":                  mapOf(compaction),
		"compression":                 mapOf(option(t, "compression", catalog.Option{Map: map[string]string{"chunk_length_in_kb": "16", "class": "org.apache.cassandra.io.compress.LZ4Compressor"}}).Map),
		"crc_check_chance":            doubleOption(t, "crc_check_chance", 1),
		"dclocal_read_repair_chance":  double(0),
		"default_time_to_live":        integer(t.DefaultTTL),
		"extensions":                  mapOf(nil),
		"gc_grace_seconds":            intOption(t, "gc_grace_seconds", 864000),
		"max_index_interval":          intOption(t, "max_index_interval", 2048),
		"memtable_flush_period_in_ms": intOption(t, "memtable_flush_period_in_ms", 0),
		"min_index_interval":          intOption(t, "min_index_interval", 128),
		"read_repair":                 textOption(t, "read_repair", "BLOCKING"),
		"read_repair_chance":          double(0),
		"speculative_retry":           textOption(t, "speculative_retry", "99p"),
	}
	// Null unless they were given (seen on 5.0.6).
	for _, name := range [...]string{"allow_auto_snapshot", "cdc", "incremental_backups"} {
		if o, ok := t.Options[name]; ok {
			r[name] = boolean(strings.EqualFold(o.Text, "true"))
		}
	}
	if o, ok := t.Options["memtable"]; ok {
		r["memtable"] = text(o.Text)
	}
	return r
}

func option(t *catalog.Table, name string, dflt catalog.Option) catalog.Option {
	if o, ok := t.Options[name]; ok {
		return o
	}
	return dflt
}

func textOption(t *catalog.Table, name, dflt string) []byte {
	return text(option(t, name, catalog.Option{Text: dflt}).Text)
}

// The catalog has checked that what was given is a number.

func intOption(t *catalog.Table, name string, dflt int32) []byte {
	if n, err := strconv.ParseInt(t.Options[name].Text, 10, 32); err == nil {
		dflt = int32(n)
	}
	return integer(dflt)
}

func doubleOption(t *catalog.Table, name string, dflt float64) []byte {
	if f, err := strconv.ParseFloat(t.Options[name].Text, 64); err == nil {
		dflt = f
	}
	return double(dflt)
}

func (t *Tables) columns(of *catalog.Table, schema *catalog.Schema) []row {
	var rows []row
	for _, ks := range t.spaces(of, schema) {
		for _, table := range ks.Tables {
			for _, c := range table.Columns {
				r := row{
					"keyspace_name": text(ks.Name), "table_name": text(table.Name), "column_name": text(c.Name),
					"clustering_order": text(order(c)), "kind": text(c.Kind.String()), "position": integer(int32(c.Position)),
					"type": text(typeName(c.Type)),
				}
				if t.dialect == parse.Cassandra {
					r["column_name_bytes"] = text(c.Name)
				}
				rows = append(rows, r)
			}
		}
	}
	return rows
}

func order(c *catalog.Column) string {
	switch {
	case c.Kind != catalog.Clustering:
		return "none"
	case c.Desc:
		return "desc"
	default:
		return "asc"
	}
}

func typeName(t *cqltype.Type) string { return t.String() }

func (t *Tables) types(schema *catalog.Schema) []row {
	var rows []row
	for _, ks := range t.spaces(nil, schema) {
		for name, u := range ks.Types {
			types := make([]string, len(u.Elems))
			for i, e := range u.Elems {
				types[i] = typeName(e)
			}
			rows = append(rows, row{
				"keyspace_name": text(ks.Name), "type_name": text(name),
				"field_names": list(u.Fields), "field_types": list(types),
			})
		}
	}
	return rows
}

func (t *Tables) indexes(schema *catalog.Schema) []row {
	var rows []row
	for _, table := range t.all(schema) {
		for _, ix := range table.Indexes {
			r := row{
				"keyspace_name": text(table.Keyspace), "table_name": text(table.Name), "index_name": text(ix.Name), "kind": text(ix.Kind),
			}
			options := map[string]string{"target": ix.Target}
			if t.dialect == parse.YCQL {
				options["target"] = ycqlTarget(ix)
				if len(ix.Include) > 0 {
					options["include"] = strings.Join(ix.Include, ", ")
				}
				txn := enabled(ix.Transactional)
				if !ix.Transactional {
					txn["consistency_level"] = "user_enforced"
				}
				r["table_id"], r["index_id"], r["is_unique"], r["transactions"] = uuid(table.ID), uuid(ix.ID), boolean(ix.Unique), mapOf(txn)
			} else if ix.Class != "" {
				options["class_name"] = ix.Class
			}
			r["options"] = mapOf(options)
			rows = append(rows, r)
		}
	}
	return rows
}

// ycqlTarget writes an index's columns as yql_indexes_vtable.cc does: hash columns
// in parentheses if there are several, then the others.
func ycqlTarget(ix *catalog.Index) string {
	hash := min(max(ix.Hash, 1), len(ix.Columns))
	target := strings.Join(ix.Columns[:hash], ", ")
	if hash > 1 {
		target = "(" + target + ")"
	}
	for _, c := range ix.Columns[hash:] {
		target += ", " + c
	}
	return target
}
