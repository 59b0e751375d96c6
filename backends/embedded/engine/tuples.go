package engine

import (
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// tupleRelation is (c, d) op ... over clustering columns that stand beside each
// other in the key.
func (b *binder) tupleRelation(r *restrictions, e *parse.Expr, write bool) error {
	var cols []*catalog.Column
	for _, a := range e.Args[0].Args {
		if a.Kind != parse.KindColumn {
			return b.src.Refuse("this relation", e.Span)
		}
		c, err := b.column(a)
		if err != nil {
			return err
		}
		if c.Kind != catalog.Clustering {
			if b.ycql {
				return b.src.QL(cqlerr.FeatureUnsupport, a.Span, "Multi-column relations can only be applied to clustering columns")
			}
			return cqlerr.Invalid("Multi-column relations can only be applied to clustering columns but was applied to: %s", c.Name)
		}
		if len(cols) > 0 && c.Position != cols[len(cols)-1].Position+1 {
			if b.ycql {
				return b.src.Refuse("a multi-column relation over columns that are not neighbours", e.Span)
			}
			return cqlerr.Invalid("Clustering columns must appear in the PRIMARY KEY order in multi-column relations: %s", b.text(e))
		}
		cols = append(cols, c)
	}
	if b.ycql && (e.Op != parse.In || write) {
		// Only IN: ycql.md 2.7.
		return b.src.QL(cqlerr.FeatureUnsupport, e.Span, "")
	}
	if r.tuples == nil {
		r.tuples = &tuples{first: cols[0].Position, n: len(cols), at: e.Span}
	}
	x := r.tuples
	x.n = max(x.n, len(cols))
	exact := e.Op == parse.Eq || e.Op == parse.In
	if x.first != cols[0].Position || x.in != nil || x.inBind != nil || exact && (x.lo != nil || x.hi != nil) {
		return b.src.Refuse("more than one multi-column relation over different columns", e.Span)
	}
	names := "(" + joinNames(cols) + ")"
	tupleType := tupleOf(cols)
	switch e.Op {
	case parse.Eq:
		x.single = true
		if e.Args[1].Kind == parse.KindMarker {
			t := b.bind(e.Args[1], spec{names, tupleType})
			x.inBind = &t
			return nil
		}
		terms, err := b.tupleTerms(e.Args[1], cols)
		x.in = [][]term{terms}
		return err
	case parse.In:
		if e.Args[1].Kind == parse.KindMarker {
			t := b.bind(e.Args[1], spec{"in" + names, cqltype.ListOf(tupleType, false)})
			x.inBind = &t
			return nil
		}
		x.in = [][]term{}
		for _, a := range e.Args[1].Args {
			if a.Kind == parse.KindMarker {
				return b.src.Refuse("markers for whole tuples in a list", a.Span)
			}
			terms, err := b.tupleTerms(a, cols)
			if err != nil {
				return err
			}
			x.in = append(x.in, terms)
		}
		return nil
	case parse.Lt, parse.Le, parse.Gt, parse.Ge:
		l := &tupleLimit{cols: cols, inclusive: e.Op == parse.Le || e.Op == parse.Ge}
		if e.Args[1].Kind == parse.KindMarker {
			t := b.bind(e.Args[1], spec{names, tupleType})
			l.bind = &t
		} else {
			var err error
			if l.terms, err = b.tupleTerms(e.Args[1], cols); err != nil {
				return err
			}
		}
		into, which := &x.lo, "start"
		if e.Op == parse.Lt || e.Op == parse.Le {
			into, which = &x.hi, "end"
		}
		if *into != nil {
			return cqlerr.Invalid("More than one restriction was found for the %s bound on %s", which, joinNames(cols))
		}
		*into = l
		return nil
	default:
	}
	return cqlerr.Invalid("%s cannot be used for multi-column relations", e.Op)
}

// joinNames is how Cassandra writes the columns of a multi-column relation.
func joinNames(cols []*catalog.Column) string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	return strings.Join(names, ",")
}

func tupleOf(cols []*catalog.Column) *cqltype.Type {
	types := make([]*cqltype.Type, len(cols))
	for i, c := range cols {
		types[i] = c.Type
	}
	return cqltype.TupleOf(types...)
}

func (b *binder) tupleTerms(e *parse.Expr, cols []*catalog.Column) ([]term, error) {
	if e.Kind != parse.KindTuple || len(e.Args) != len(cols) {
		if b.ycql {
			return nil, b.src.QL(cqlerr.InvalidArguments, e.Span, "Expected %d elements in value tuple, but got %d", len(cols), len(e.Args))
		}
		return nil, cqlerr.Invalid("Expected %d elements in value tuple, but got %d: %s", len(cols), len(e.Args), b.text(e))
	}
	terms := make([]term, len(cols))
	for i, a := range e.Args {
		t, err := b.rightHand(a, columnSpec(cols[i]))
		if err != nil {
			return nil, err
		}
		terms[i] = t
	}
	return terms, nil
}
