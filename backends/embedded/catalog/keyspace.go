package catalog

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

const strategyPrefix = "org.apache.cassandra.locator."

func (c *change) createKeyspace(st *parse.CreateKeyspace) (*Change, error) {
	if c.old.Keyspaces[st.Name] != nil {
		if st.IfNotExists {
			return &Change{}, nil
		}
		if c.ycql {
			return nil, c.src.QL(cqlerr.KeyspaceExists, st.NameSpan, "Keyspace '%s' already exists", st.Name)
		}
		return nil, &wire.Error{
			Code: wire.CodeAlreadyExists, Message: `Cannot add existing keyspace "` + st.Name + `"`, Keyspace: st.Name,
		}
	}
	if !c.ycql && (len(st.Name) > 48 || strings.IndexFunc(st.Name, notWord) >= 0) {
		return nil, cqlerr.Invalid("Keyspace name must not be empty, more than 48 characters long, or contain non-alphanumeric-underscore characters (got \"%s\")", st.Name)
	}
	ks := &Keyspace{Name: st.Name, DurableWrites: true, Tables: map[string]*Table{}, Types: map[string]*cqltype.Type{}}
	if err := c.keyspaceOptions(ks, st.With); err != nil {
		return nil, err
	}
	if ks.Replication == nil {
		if !c.ycql {
			return nil, cqlerr.Invalid("Missing mandatory option 'replication'")
		}
		ks.Replication = map[string]string{"class": strategyPrefix + "SimpleStrategy", "replication_factor": "1"}
	}
	n := c.old.clone()
	n.Keyspaces[ks.Name] = ks
	return &Change{Schema: n, Event: event(wire.Created, wire.TargetKeyspace, ks.Name, "")}, nil
}

func notWord(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

func (c *change) alterKeyspace(st *parse.AlterKeyspace) (*Change, error) {
	old := c.old.Keyspaces[st.Name]
	if old == nil {
		switch {
		case c.ycql:
			return nil, c.src.QL(cqlerr.KeyspaceNotFound, st.NameSpan, "")
		case st.IfExists:
			return &Change{}, nil
		}
		return nil, cqlerr.Invalid("Keyspace '%s' doesn't exist", st.Name)
	}
	ks := *old
	if err := c.keyspaceOptions(&ks, st.With); err != nil {
		return nil, err
	}
	if !c.ycql && maps.Equal(ks.Replication, old.Replication) && ks.DurableWrites == old.DurableWrites {
		return &Change{}, nil // Cassandra announces changes only
	}
	n := c.old.clone()
	n.Keyspaces[ks.Name] = &ks
	return &Change{Schema: n, Event: event(wire.Updated, wire.TargetKeyspace, ks.Name, "")}, nil
}

// keyspaceOptions checks replication and durable_writes. One process has one
// copy of the data whatever they say, as it would be on a one-node cluster;
// they are kept so that system_schema shows them.
func (c *change) keyspaceOptions(ks *Keyspace, props []parse.Property) error {
	for _, p := range props {
		switch p.Name {
		case "replication":
			m, ok := literalMap(p.Value)
			if !ok {
				return c.badProperty(p, "Invalid value for property 'replication'. It should be a map")
			}
			r, err := c.replication(p, m)
			if err != nil {
				return err
			}
			ks.Replication = r
		case "durable_writes":
			text := strings.ToLower(p.Value.Text)
			if text != "true" && text != "false" {
				return c.badProperty(p, "Invalid boolean value "+p.Value.Text+" for 'durable_writes'")
			}
			ks.DurableWrites = text == "true"
		default:
			return c.badProperty(p, "Unknown property '"+p.Name+"'")
		}
	}
	return nil
}

func (c *change) badProperty(p parse.Property, text string) error {
	if c.ycql {
		return c.src.QL(cqlerr.InvalidProperty, p.Span, "%s", text)
	}
	return cqlerr.Syntax("%s", text)
}

func (c *change) replication(p parse.Property, m map[string]string) (map[string]string, error) {
	m = maps.Clone(m)
	class, ok := m["class"]
	if !ok {
		if c.ycql {
			return nil, c.src.QL(cqlerr.InvalidArguments, p.Span, "Missing replication strategy class")
		}
		return nil, cqlerr.Config("Missing replication strategy class")
	}
	if !strings.Contains(class, ".") {
		class = strategyPrefix + class
	}
	config := func(format string, args ...any) error {
		if c.ycql {
			return c.src.QL(cqlerr.InvalidArguments, p.Span, format, args...)
		}
		return cqlerr.Config(format, args...)
	}
	factor := func(v string) error {
		if n, err := strconv.Atoi(v); err != nil || n < 0 {
			return config("Replication factor must be numeric; found %s", v)
		}
		return nil
	}
	switch class {
	case strategyPrefix + "SimpleStrategy":
		rf, ok := m["replication_factor"]
		if !ok && !c.ycql {
			rf, ok = "1", true // the node's default_keyspace_rf
			m["replication_factor"] = rf
		}
		if !ok {
			return nil, config("SimpleStrategy requires a replication_factor strategy option.")
		}
		if err := factor(rf); err != nil {
			return nil, err
		}
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if k != "class" && k != "replication_factor" {
				return nil, config("Unrecognized strategy option {%s} passed to SimpleStrategy for keyspace", k)
			}
		}
	case strategyPrefix + "NetworkTopologyStrategy":
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if k == "class" {
				continue
			}
			if k == "replication_factor" && c.ycql {
				return nil, config("replication_factor is an option for SimpleStrategy, not NetworkTopologyStrategy")
			}
			if err := factor(m[k]); err != nil {
				return nil, err
			}
		}
	default:
		return nil, config("Unable to find replication strategy class '%s'", class)
	}
	m["class"] = class
	return m, nil
}

// literalMap turns a map of literals into strings.
func literalMap(e *parse.Expr) (map[string]string, bool) {
	if e.Kind == parse.KindSet && len(e.Args) == 0 {
		return map[string]string{}, true
	}
	if e.Kind != parse.KindMap {
		return nil, false
	}
	m := map[string]string{}
	for i := 0; i < len(e.Args); i += 2 {
		if !isLiteral(e.Args[i]) || !isLiteral(e.Args[i+1]) {
			return nil, false
		}
		m[e.Args[i].Text] = e.Args[i+1].Text
	}
	return m, true
}

func isLiteral(e *parse.Expr) bool {
	switch e.Kind {
	case parse.KindString, parse.KindInt, parse.KindFloat, parse.KindBool, parse.KindUUID, parse.KindBlob:
		return true
	default:
	}
	return false
}
