package catalog

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// ResolveType turns a type as written into a type, for a statement in keyspace.
func (s *Schema) ResolveType(src cqlerr.Source, keyspace string, w *parse.Type) (*cqltype.Type, error) {
	if w.Custom != "" {
		return nil, src.Refuse("the custom type '"+w.Custom+"'", w.Span)
	}
	ycql := src.Dialect == parse.YCQL
	if !w.Quoted && w.Schema == "" {
		if t, ok := cqltype.ByName(w.Name); ok && len(w.Args) == 0 && s.hasNative(w.Name) {
			return t, nil
		}
		switch w.Name {
		case "frozen", "list", "set", "map", "tuple":
			return s.resolveParametric(src, keyspace, w)
		case "vector":
			if !ycql {
				return nil, src.Refuse("the type vector", w.Span)
			}
		case "jsonb":
			if ycql {
				return nil, src.Refuse("the type jsonb", w.Span)
			}
		}
	}
	if w.Schema != "" && w.Schema != keyspace {
		if ycql {
			return nil, src.QL(cqlerr.InvalidType, w.Span, "User Defined Types can only be used in the same keyspace where they are defined")
		}
		return nil, cqlerr.Invalid("Statement on keyspace %s cannot refer to a user type in keyspace %s; user types can only be used in the keyspace they are defined in", keyspace, w.Schema)
	}
	if ks := s.Keyspaces[keyspace]; ks != nil {
		if t := ks.Types[w.Name]; t != nil {
			return t, nil
		}
	}
	if ycql {
		return nil, src.QL(cqlerr.TypeNotFound, w.Span, "Could not find user defined type")
	}
	return nil, cqlerr.Invalid("Unknown type %s.%s", keyspace, w.Name)
}

// hasNative tells whether this server has the native type: YCQL's grammar knows
// neither ascii nor duration (ycql.md 2.5), they would be user-defined types.
func (s *Schema) hasNative(name string) bool {
	return s.Dialect == parse.Cassandra || name != "ascii" && name != "duration"
}

func (s *Schema) resolveParametric(src cqlerr.Source, keyspace string, w *parse.Type) (*cqltype.Type, error) {
	ycql := src.Dialect == parse.YCQL
	if ycql && w.Name == "tuple" {
		return nil, src.QL(cqlerr.FeatureUnsupport, w.Span, "")
	}
	want := map[string]int{"frozen": 1, "list": 1, "set": 1, "map": 2}[w.Name]
	if want > 0 && len(w.Args) != want || len(w.Args) == 0 {
		if ycql {
			return nil, src.QL(cqlerr.InvalidSQL, w.Span, "wrong number of type parameters")
		}
		return nil, cqlerr.Syntax("line 1:%d mismatched input '%s' expecting '<'", w.Span.End, w.Name)
	}
	args := make([]*cqltype.Type, len(w.Args))
	for i, a := range w.Args {
		t, err := s.ResolveType(src, keyspace, a)
		if err != nil {
			return nil, err
		}
		args[i] = t
	}
	if w.Name == "frozen" {
		f := args[0].Freeze()
		if !f.Frozen && f.Kind != cqltype.Tuple {
			if ycql {
				return nil, src.QL(cqlerr.InvalidTable, w.Span, "Can only freeze collections or user defined types")
			}
			return nil, cqlerr.Syntax("frozen<> is only allowed on collections, tuples, and user-defined types (got %s)", args[0])
		}
		return f, nil
	}
	for _, a := range args {
		switch {
		case a.Kind == cqltype.Counter && !ycql:
			return nil, cqlerr.Invalid("Counters are not allowed inside collections: %s<%s>", w.Name, a)
		case w.Name != "tuple" && a.IsMultiCell():
			if ycql {
				return nil, src.QL(cqlerr.InvalidTable, w.Span, "Collection type parameters cannot be (un-frozen) collections or UDTs")
			}
			if a.Kind == cqltype.UDT {
				return nil, cqlerr.Invalid("Non-frozen UDTs are not allowed inside collections: %s<%s>", w.Name, a)
			}
			return nil, cqlerr.Invalid("Non-frozen collections are not allowed inside collections: %s<%s>", w.Name, a)
		}
	}
	switch w.Name {
	case "list":
		return cqltype.ListOf(args[0], false), nil
	case "set":
		if args[0].Kind == cqltype.Duration {
			return nil, cqlerr.Invalid("Durations are not allowed inside sets: set<%s>", args[0])
		}
		return cqltype.SetOf(args[0], false), nil
	case "map":
		if args[0].Kind == cqltype.Duration {
			return nil, cqlerr.Invalid("Durations are not allowed as map keys: map<%s, %s>", args[0], args[1])
		}
		return cqltype.MapOf(args[0], args[1], false), nil
	}
	// A tuple freezes what is in it.
	return cqltype.TupleOf(args...).Freeze(), nil
}
