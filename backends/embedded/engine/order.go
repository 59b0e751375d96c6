package engine

import (
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// orderBy checks ORDER BY and finds the direction.
func (s *selectPlanner) orderBy() error {
	if len(s.st.OrderBy) == 0 {
		return nil
	}
	p, t := s.p, s.table
	if !p.byKey {
		if s.ycql {
			return s.src.QL(cqlerr.InvalidCQL, s.st.OrderBy[0].Span, "All hash columns must be set if order by clause is present.")
		}
		return cqlerr.Invalid("ORDER BY is only supported when the partition key is restricted by an EQ or an IN.")
	}
	at, seen := 0, 0
	for i, o := range s.st.OrderBy {
		if o.Expr.Kind != parse.KindColumn {
			return s.src.Refuse("this ORDER BY", o.Span)
		}
		c, err := s.column(o.Expr)
		if err != nil {
			return err
		}
		if c.Kind != catalog.Clustering {
			if s.ycql {
				return s.src.QL(cqlerr.InvalidArguments, o.Span, "Order by clause should only contain clustering columns")
			}
			return cqlerr.Invalid("Order by is currently only supported on the clustered columns of the PRIMARY KEY, got %s", c.Name)
		}
		// Columns that are fixed by = may be left out (Cassandra).
		for at < c.Position && !s.ycql && s.p.where.cols[t.ClusteringKey[at].Index].exact() && !s.p.where.cols[t.ClusteringKey[at].Index].isIn() {
			at++
		}
		if c.Position != at {
			if s.ycql {
				return s.src.QL(cqlerr.InvalidArguments, o.Span, "Order by currently only support the ordering of columns following their declared order in the PRIMARY KEY")
			}
			return cqlerr.Invalid("Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY")
		}
		reverse := o.Desc != c.Desc
		if i > 0 && reverse != p.reverse {
			if s.ycql {
				return s.src.QL(cqlerr.InvalidArguments, o.Span, "Unsupported order by relation")
			}
			return cqlerr.Invalid("Unsupported order by relation")
		}
		p.reverse = reverse
		at++
		seen++
	}
	for _, c := range t.PartitionKey {
		p.sortIn = p.sortIn || p.where.cols[c.Index].isIn()
	}
	return nil
}

func (s *selectPlanner) limits() error {
	take := func(e *parse.Expr, name string) (*term, error) {
		if e == nil {
			return nil, nil
		}
		t, err := s.rightHand(e, spec{name, tInt})
		return &t, err
	}
	var err error
	if s.p.perPartition, err = take(s.st.PerPartitionLimit, "[per_partition_limit]"); err != nil {
		return err
	}
	if s.p.limit, err = take(s.st.Limit, "[limit]"); err != nil {
		return err
	}
	if s.p.offset, err = take(s.st.Offset, "[offset]"); err != nil {
		return err
	}
	if s.st.PerPartitionLimit != nil && s.st.Distinct {
		return cqlerr.Invalid("PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries")
	}
	if s.st.PerPartitionLimit != nil && s.p.isAgg {
		return cqlerr.Invalid("PER PARTITION LIMIT is not allowed with aggregate queries.")
	}
	return nil
}

func (s *selectPlanner) checkDistinct(selected []bool) error {
	for _, c := range s.table.Columns {
		if !selected[c.Index] {
			continue
		}
		if c.Kind == catalog.Clustering || c.Kind == catalog.Regular {
			if s.ycql {
				return s.src.QL(cqlerr.InvalidCQL, s.st.Span, "Selecting distinct must request only partition keys and static columns")
			}
			return cqlerr.Invalid("SELECT DISTINCT queries must only request partition key columns and/or static columns (not %s)", c.Name)
		}
	}
	for _, c := range s.table.PartitionKey {
		if !selected[c.Index] && !s.ycql {
			return cqlerr.Invalid("SELECT DISTINCT queries must request all the partition key columns (missing %s)", c.Name)
		}
	}
	restricted := s.clusteringRestricted()
	for _, f := range s.p.rest {
		restricted = restricted || f.col.Kind == catalog.Clustering || f.col.Kind == catalog.Regular
	}
	switch {
	case !restricted:
		return nil
	case s.ycql:
		return s.src.QL(cqlerr.InvalidCQL, s.st.Span, "Selecting distinct with non-static where clause is not allowed")
	default:
		return cqlerr.Invalid("SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.")
	}
}

// staticsOnly refuses what Cassandra does: clustering columns restricted where only
// statics are selected.
func (s *selectPlanner) staticsOnly(selected []bool) error {
	if s.ycql || s.st.Star {
		return nil
	}
	statics := false
	for _, c := range s.table.Columns {
		if !selected[c.Index] {
			continue
		}
		if c.Kind != catalog.Static && c.Kind != catalog.Partition {
			return nil
		}
		statics = statics || c.Kind == catalog.Static
	}
	if !statics {
		return nil
	}
	if s.clusteringRestricted() {
		return cqlerr.Invalid("Cannot restrict clustering columns when selecting only static columns")
	}
	return nil
}

// clusteringRestricted tells whether WHERE names a clustering column, alone or in a
// relation on several.
func (s *selectPlanner) clusteringRestricted() bool {
	return s.p.where.tuples != nil || slices.ContainsFunc(s.table.ClusteringKey, func(c *catalog.Column) bool {
		return s.p.where.cols[c.Index] != nil
	})
}
