package describe

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func mapLiteral(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, quote(k)+": "+quote(m[k]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func createKeyspace(ks *catalog.Keyspace) string {
	// The class comes first and without its package, and there are two spaces: that is
	// what the server prints.
	replication := []string{"'class': " + quote(strings.TrimPrefix(ks.Replication["class"], "org.apache.cassandra.locator."))}
	for _, k := range slices.Sorted(maps.Keys(ks.Replication)) {
		if k != "class" {
			replication = append(replication, quote(k)+": "+quote(ks.Replication[k]))
		}
	}
	durable := "false"
	if ks.DurableWrites {
		durable = "true"
	}
	return "CREATE KEYSPACE " + cqltype.QuoteIdent(ks.Name) + " WITH replication = {" + strings.Join(replication, ", ") + "}  AND durable_writes = " + durable + ";"
}

func qualified(keyspace, name string) string {
	return cqltype.QuoteIdent(keyspace) + "." + cqltype.QuoteIdent(name)
}

func createType(keyspace string, t *cqltype.Type) string {
	var fields []string
	for i, e := range t.Elems {
		fields = append(fields, "    "+cqltype.QuoteIdent(t.Fields[i])+" "+e.String())
	}
	return "CREATE TYPE " + qualified(keyspace, t.Name) + " (\n" + strings.Join(fields, ",\n") + "\n);"
}

func createIndex(t *catalog.Table, ix *catalog.Index) string {
	head := "CREATE INDEX "
	tail := ""
	if ix.Class != "" {
		head, tail = "CREATE CUSTOM INDEX ", " USING "+quote(ix.Class)
	}
	return head + cqltype.QuoteIdent(ix.Name) + " ON " + qualified(t.Keyspace, t.Name) + " (" + ix.Target + ")" + tail + ";"
}

func createTable(t *catalog.Table, internals bool) string {
	var lines []string
	single := len(t.PartitionKey) == 1 && len(t.ClusteringKey) == 0
	for _, c := range inCreateOrder(t) {
		line := "    " + cqltype.QuoteIdent(c.Name) + " " + c.Type.String()
		switch {
		case c.Kind == catalog.Static:
			line += " static"
		case c.Kind == catalog.Partition && single:
			line += " PRIMARY KEY"
		}
		lines = append(lines, line)
	}
	if !single {
		lines = append(lines, "    "+primaryKey(t))
	}
	with := tableOptions(t)
	if len(t.ClusteringKey) > 0 {
		var order []string
		for _, c := range t.ClusteringKey {
			dir := " ASC"
			if c.Desc {
				dir = " DESC"
			}
			order = append(order, cqltype.QuoteIdent(c.Name)+dir)
		}
		with = append([]string{"CLUSTERING ORDER BY (" + strings.Join(order, ", ") + ")"}, with...)
	}
	if internals {
		with = append([]string{"ID = " + uuid(t.ID)}, with...)
	}
	return "CREATE TABLE " + qualified(t.Keyspace, t.Name) + " (\n" + strings.Join(lines, ",\n") + "\n) WITH " + strings.Join(with, "\n    AND ") + ";"
}

// inCreateOrder puts columns of one cell before collections and such, among the
// statics and among the regulars.
func inCreateOrder(t *catalog.Table) []*catalog.Column {
	cols := slices.Clone(t.Columns)
	slices.SortStableFunc(cols, func(a, b *catalog.Column) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return order(a) - order(b)
	})
	return cols
}

func order(c *catalog.Column) int {
	if c.Type.IsMultiCell() {
		return 1
	}
	return 0
}

func primaryKey(t *catalog.Table) string {
	names := func(cols []*catalog.Column) []string {
		var list []string
		for _, c := range cols {
			list = append(list, cqltype.QuoteIdent(c.Name))
		}
		return list
	}
	key := strings.Join(names(t.PartitionKey), ", ")
	if len(t.PartitionKey) > 1 {
		key = "(" + key + ")"
	}
	return "PRIMARY KEY (" + strings.Join(append([]string{key}, names(t.ClusteringKey)...), ", ") + ")"
}

// tableOptions are all options in the server's order, those not given with their
// defaults (TableParams.java).
func tableOptions(t *catalog.Table) []string {
	compaction := map[string]string{
		"class": "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy", "max_threshold": "32", "min_threshold": "4",
	}
	if o, ok := t.Options["compaction"]; ok {
		compaction = o.Map
	}
	bloom := "0.01"
	if strings.HasSuffix(compaction["class"], "LeveledCompactionStrategy") {
		bloom = "0.1"
	}
	text := func(name, dflt string) string {
		if o, ok := t.Options[name]; ok {
			dflt = o.Text
		}
		return name + " = " + quote(dflt)
	}
	bare := func(name, dflt string) string {
		if o, ok := t.Options[name]; ok {
			dflt = strings.ToLower(o.Text)
		}
		return name + " = " + dflt
	}
	mapping := func(name string, dflt map[string]string) string {
		if o, ok := t.Options[name]; ok {
			dflt = o.Map
		}
		return name + " = " + mapLiteral(dflt)
	}
	return []string{
		text("additional_write_policy", "99p"),
		bare("allow_auto_snapshot", "true"),
		bare("bloom_filter_fp_chance", bloom),
		mapping("caching", map[string]string{"keys": "ALL", "rows_per_partition": "NONE"}),
		bare("cdc", "false"),
		text("comment", ""),
		"compaction = " + mapLiteral(compaction),
		mapping("compression", map[string]string{"chunk_length_in_kb": "16", "class": "org.apache.cassandra.io.compress.LZ4Compressor"}),
		text("memtable", "default"),
		bare("crc_check_chance", "1.0"),
		bare("default_time_to_live", "0"),
		mapping("extensions", nil),
		bare("gc_grace_seconds", "864000"),
		bare("incremental_backups", "true"),
		bare("max_index_interval", "2048"),
		bare("memtable_flush_period_in_ms", "0"),
		bare("min_index_interval", "128"),
		text("read_repair", "BLOCKING"),
		text("speculative_retry", "99p"),
	}
}

func uuid(u catalog.UUID) string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
