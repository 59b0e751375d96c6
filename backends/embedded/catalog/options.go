package catalog

import (
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// maxTTL is Cassandra's: 20 years, in seconds.
const maxTTL = 20 * 365 * 24 * 60 * 60

type optionKind uint8

const (
	optText optionKind = iota
	optFloat01
	optCount // a whole number, not negative
	optMap
	optBool
	optTTL
	optTransactions
	optTablets
	optUUID
)

// cassandraOptions are those of Cassandra 5 (TableAttributes). None but
// default_time_to_live and id has anything to act on in one process that keeps
// no SSTables; they are checked and shown.
var cassandraOptions = map[string]optionKind{
	"additional_write_policy": optText, "allow_auto_snapshot": optBool, "bloom_filter_fp_chance": optFloat01, "caching": optMap,
	"cdc": optBool, "comment": optText, "compaction": optMap, "compression": optMap, "crc_check_chance": optFloat01,
	"default_time_to_live": optTTL, "extensions": optMap, "gc_grace_seconds": optCount, "id": optUUID, "incremental_backups": optBool,
	"max_index_interval": optCount, "memtable": optText, "memtable_flush_period_in_ms": optCount, "min_index_interval": optCount,
	"read_repair": optText, "speculative_retry": optText,
	"dclocal_read_repair_chance": optFloat01, "read_repair_chance": optFloat01,
}

// ycqlOptions: ycql.md 2.5.
var ycqlOptions = map[string]optionKind{
	"bloom_filter_fp_chance": optFloat01, "caching": optMap, "comment": optText, "compaction": optMap, "compression": optMap,
	"crc_check_chance": optFloat01, "dclocal_read_repair_chance": optFloat01, "default_time_to_live": optTTL, "gc_grace_seconds": optCount,
	"index_interval": optCount, "max_index_interval": optCount, "memtable_flush_period_in_ms": optCount, "min_index_interval": optCount,
	"read_repair_chance": optFloat01, "speculative_retry": optText, "transactions": optTransactions, "tablets": optTablets,
}

var compactionClasses = map[string]bool{
	"SizeTieredCompactionStrategy": true, "LeveledCompactionStrategy": true, "TimeWindowCompactionStrategy": true,
	"UnifiedCompactionStrategy": true, "DateTieredCompactionStrategy": true,
}

// tableOptions checks WITH and stores it in t.
func (c *change) tableOptions(t *Table, props []parse.Property, alter bool) error {
	known := cassandraOptions
	if c.ycql {
		known = ycqlOptions
	}
	seen := map[string]bool{}
	if t.Options == nil {
		t.Options = map[string]Option{}
	}
	for _, p := range props {
		kind, ok := known[p.Name]
		if !ok {
			return c.badProperty(p, "Unknown property '"+p.Name+"'")
		}
		if seen[p.Name] {
			if c.ycql {
				return c.src.QL(cqlerr.DuplicateProperty, p.Span, "")
			}
			return cqlerr.Syntax("Multiple definition for property '%s'", p.Name)
		}
		seen[p.Name] = true
		if alter && (kind == optTransactions || kind == optTablets) {
			return c.src.QL(cqlerr.FeatureUnsupport, p.Span, "Changing property %s is not supported", p.Name)
		}
		if alter && kind == optUUID {
			return cqlerr.Config("Cannot alter table id.")
		}
		o, err := c.option(t, p, kind)
		if err != nil {
			return err
		}
		t.Options[p.Name] = o
	}
	return nil
}

func (c *change) option(t *Table, p parse.Property, kind optionKind) (Option, error) {
	if kind == optMap || kind == optTransactions {
		m, ok := literalMap(p.Value)
		if !ok {
			return Option{}, c.badProperty(p, "Invalid value for property '"+p.Name+"'. It should be a map")
		}
		if kind == optTransactions {
			return Option{Map: m}, c.transactions(t, p, m)
		}
		if p.Name == "compaction" {
			return Option{Map: m}, c.compaction(p, m)
		}
		return Option{Map: m}, nil
	}
	text := p.Value.Text
	if !isLiteral(p.Value) && p.Value.Kind != parse.KindColumn {
		return Option{}, c.badProperty(p, "Invalid value for property '"+p.Name+"'. It should be a string")
	}
	fail := func(cassandra string) error {
		if c.ycql {
			return c.src.QL(cqlerr.InvalidArguments, p.Span, "Invalid value for option '%s'", p.Name)
		}
		return cqlerr.Config("%s", cassandra)
	}
	switch kind {
	case optFloat01:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return Option{}, c.badProperty(p, "Invalid double value "+text+" for '"+p.Name+"'")
		}
		shown := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(shown, ".") {
			shown += ".0"
		}
		switch {
		case p.Name == "bloom_filter_fp_chance" && (f <= 6.71e-5 || f > 1):
			return Option{}, fail(p.Name + " must be larger than 6.71E-5 and less than or equal to 1.0 (got " + shown + ")")
		case f < 0 || f > 1:
			return Option{}, fail(p.Name + " must be larger than or equal to 0 and smaller than or equal to 1.0 (got " + shown + ")")
		}
	case optCount, optTTL, optTablets:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return Option{}, c.badProperty(p, "Invalid integer value "+text+" for '"+p.Name+"'")
		}
		least := int64(0)
		if p.Name == "min_index_interval" || kind == optTablets {
			least = 1
		}
		if n < least {
			return Option{}, fail(p.Name + " must be greater than or equal to " + strconv.FormatInt(least, 10) + " (got " + text + ")")
		}
		switch kind {
		case optTTL:
			if n > maxTTL && !c.ycql {
				return Option{}, fail("default_time_to_live must be less than or equal to " + strconv.Itoa(maxTTL) + " (got " + text + ")")
			}
			t.DefaultTTL = int32(n)
		case optTablets:
			t.Tablets = int32(n)
		default:
		}
	case optBool:
		if l := strings.ToLower(text); l != "true" && l != "false" {
			return Option{}, c.badProperty(p, "Invalid boolean value "+text+" for '"+p.Name+"'")
		}
	case optUUID:
		if p.Value.Kind != parse.KindUUID && p.Value.Kind != parse.KindString {
			return Option{}, cqlerr.Config("Invalid table id")
		}
		return Option{}, c.src.Refuse("the table option 'id'", p.Span)
	default:
	}
	return Option{Text: text}, nil
}

func (c *change) compaction(p parse.Property, m map[string]string) error {
	class, ok := m["class"]
	if !ok {
		if c.ycql {
			return c.src.QL(cqlerr.InvalidProperty, p.Span, "Missing sub-option 'class' for property 'compaction'")
		}
		return cqlerr.Config("Missing sub-option 'class' for the 'compaction' option")
	}
	short := strings.TrimPrefix(class, "org.apache.cassandra.db.compaction.")
	if !compactionClasses[short] {
		if c.ycql {
			return c.src.QL(cqlerr.InvalidProperty, p.Span, "Unable to find compaction strategy class '%s'", class)
		}
		if !strings.Contains(class, ".") {
			class = "org.apache.cassandra.db.compaction." + class
		}
		return cqlerr.Config("Unable to find compaction strategy class '%s'", class)
	}
	m["class"] = "org.apache.cassandra.db.compaction." + short
	return nil
}

// transactions is YCQL's {'enabled': bool, 'consistency_level': 'user_enforced'}.
func (c *change) transactions(t *Table, p parse.Property, m map[string]string) error {
	for k, v := range m {
		switch k {
		case "enabled":
			switch strings.ToLower(v) {
			case "true":
				t.Transactional = true
			case "false":
				t.Transactional = false
			default:
				return c.src.QL(cqlerr.InvalidArguments, p.Span, "Invalid value for option 'enabled'")
			}
		case "consistency_level":
			if strings.ToLower(v) != "user_enforced" {
				return c.src.QL(cqlerr.InvalidArguments, p.Span, "Invalid value for option 'consistency_level'")
			}
		default:
			return c.src.QL(cqlerr.InvalidProperty, p.Span, "Unknown property '%s'", k)
		}
	}
	return nil
}
