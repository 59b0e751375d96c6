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
	if s.ycql {
		return s.ycqlOrder()
	}
	if !p.byKey {
		return cqlerr.Invalid("ORDER BY is only supported when the partition key is restricted by an EQ or an IN.")
	}
	at := 0
	for i, o := range s.st.OrderBy {
		if o.Expr.Kind != parse.KindColumn {
			return s.src.Refuse("this ORDER BY", o.Span)
		}
		c, err := s.column(o.Expr)
		if err != nil {
			return err
		}
		if c.Kind != catalog.Clustering {
			return cqlerr.Invalid("Order by is currently only supported on the clustered columns of the PRIMARY KEY, got %s", c.Name)
		}
		// Columns that are fixed by = may be left out (Cassandra).
		for at < c.Position && s.p.where.cols[t.ClusteringKey[at].Index].exact() && !s.p.where.cols[t.ClusteringKey[at].Index].isIn() {
			at++
		}
		if c.Position != at {
			return cqlerr.Invalid("Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY")
		}
		reverse := o.Desc != c.Desc
		if i > 0 && reverse != p.reverse {
			return cqlerr.Invalid("Unsupported order by relation")
		}
		p.reverse = reverse
		at++
	}
	s.sortsPartitions()
	return nil
}

func (s *selectPlanner) sortsPartitions() {
	for _, c := range s.table.PartitionKey {
		s.p.sortIn = s.p.sortIn || s.p.where.cols[c.Index].isIn()
	}
}

// ycqlOrder: PTSelectStmt::AnalyzeOrderByClause (ql/ptree/pt_select.cc), whose
// errors all point at the first item.
func (s *selectPlanner) ycqlOrder() error {
	fail := func(text string) error {
		return s.src.QL(cqlerr.InvalidArguments, s.st.OrderBy[0].Span, "%s", text)
	}
	asked := map[string]bool{} // whether descending
	for _, o := range s.st.OrderBy {
		if o.Expr.Kind != parse.KindColumn {
			return s.src.QL(cqlerr.InvalidArguments, o.Expr.Span, "Order By clause contains invalid expression")
		}
		c, err := s.existing(o.Expr)
		if err != nil {
			return err
		}
		asked[c.Name] = o.Desc
	}
	inOrder, mixed := true, false
	for i, c := range s.table.ClusteringKey {
		desc, ok := asked[c.Name]
		if !ok {
			inOrder = false
			continue
		}
		if !inOrder {
			return fail("Order by currently only support the ordering of columns following their declared order in the PRIMARY KEY")
		}
		delete(asked, c.Name)
		reverse := desc != c.Desc
		mixed = mixed || i > 0 && reverse != s.p.reverse
		if i == 0 {
			s.p.reverse = reverse
		}
	}
	switch {
	case len(asked) > 0:
		return fail("Order by clause should only contain clustering columns")
	case mixed:
		return fail("Unsupported order by relation")
	case !s.p.byKey:
		return fail("All hash columns must be set if order by clause is present")
	}
	s.sortsPartitions()
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
				return s.src.QL(cqlerr.InvalidCQL, s.st.ListAt, "Selecting distinct must request only partition keys and static columns")
			}
			return cqlerr.Invalid("SELECT DISTINCT queries must only request partition key columns and/or static columns (not %s)", c.Name)
		}
	}
	if s.ycql {
		return s.ycqlDistinct(selected)
	}
	for _, c := range s.table.PartitionKey {
		if !selected[c.Index] {
			return cqlerr.Invalid("SELECT DISTINCT queries must request all the partition key columns (missing %s)", c.Name)
		}
	}
	restricted := s.clusteringRestricted()
	for _, f := range s.p.rest {
		restricted = restricted || f.col.Kind == catalog.Clustering || f.col.Kind == catalog.Regular
	}
	if !restricted {
		return nil
	}
	return cqlerr.Invalid("SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.")
}

// ycqlDistinct: PTSelectStmt::AnalyzeDistinctClause and PTRef::CheckLhsExpr.
func (s *selectPlanner) ycqlDistinct(selected []bool) error {
	keys := 0
	for _, c := range s.table.PartitionKey {
		if selected[c.Index] {
			keys++
		}
	}
	if keys != 0 && keys != len(s.table.PartitionKey) {
		return s.src.QL(cqlerr.InvalidCQL, s.st.ListAt, "Selecting distinct must request all or none of partition keys")
	}
	for _, e := range s.st.Where {
		if e.Args[0].Kind != parse.KindColumn {
			continue
		}
		if c := s.table.Column(e.Args[0].Text); c != nil && c.Kind != catalog.Partition && c.Kind != catalog.Static {
			return s.src.QL(cqlerr.InvalidCQL, e.Args[0].Span, "Non-partition/static column reference is not supported in the where clause of a SELECT DISTINCT statement")
		}
	}
	return nil
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
