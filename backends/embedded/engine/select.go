package engine

import (
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// selectPlan is a SELECT made ready. It is immutable.
type selectPlan struct {
	tab      *table
	cols     []wire.Column
	proj     []*catalog.Column // set if the list is plain columns only
	sel      []term            // else
	aggs     []aggregate       // parallel to sel: zero Kind for none
	isAgg    bool
	distinct bool

	where    *restrictions
	rest     []filter // relations that do not become keys or bounds
	ckPrefix int      // clustering columns fixed by = or IN, from the first
	byKey    bool     // the partition key is given
	scan     bool

	reverse bool
	sortIn  bool // ORDER BY with several partitions: sort what was read

	limit, perPartition, offset *term

	want        storage.Columns // of the table's non-key columns
	needStatic  bool            // statics are selected or tested
	needRegular bool            // something but keys and statics is needed
	pointRead   bool            // one row by its whole key
	index       *indexSearch
	ifCond      *condition // ycql's SELECT ... IF
}

type selectPlanner struct {
	binder
	p  *selectPlan
	st *parse.Select
}

func (b *binder) planSelect(st *parse.Select) (*selectPlan, error) {
	s := &selectPlanner{binder: *b, st: st, p: &selectPlan{tab: b.tab, distinct: st.Distinct}}
	if st.JSON {
		return nil, b.src.Refuse("SELECT JSON", st.Span)
	}
	if len(st.GroupBy) > 0 {
		return nil, b.src.Refuse("GROUP BY", st.Span)
	}
	if err := s.selection(); err != nil {
		return nil, err
	}
	selected := slices.Clone(s.used)
	var err error
	if s.p.where, err = s.where(st.Where, false); err != nil {
		return nil, err
	}
	if st.If != nil {
		s.columns = true
		if s.p.ifCond, err = s.condition(st.If); err != nil {
			return nil, err
		}
		s.columns = false
	}
	if err := s.staticsOnly(selected); err != nil {
		return nil, err
	}
	if err := s.keys(); err != nil {
		return nil, err
	}
	if err := s.orderBy(); err != nil {
		return nil, err
	}
	if err := s.limits(); err != nil {
		return nil, err
	}
	if st.Distinct {
		if err := s.checkDistinct(selected); err != nil {
			return nil, err
		}
	}
	s.wanted()
	b.binds, b.used = s.binds, s.used
	return s.p, nil
}

// selection compiles the select list.
func (s *selectPlanner) selection() error {
	p, t := s.p, s.table
	s.columns = true
	defer func() { s.columns = false }()
	s.used = make([]bool, len(t.Columns))
	if s.st.Star {
		for _, c := range t.Columns {
			s.used[c.Index] = true
			p.proj = append(p.proj, c)
			p.cols = append(p.cols, wire.Column{Keyspace: t.Keyspace, Table: t.Name, Name: c.Name, Type: c.Type})
		}
		if s.st.Distinct && s.ycql {
			return s.src.QL(cqlerr.InvalidCQL, s.st.ListAt, "Selecting distinct must request only partition keys and static columns")
		}
		return nil
	}
	plain := true
	for _, sel := range s.st.Selectors {
		x, agg, name, err := s.selector(sel.Expr)
		if err != nil {
			return err
		}
		if sel.Alias != "" {
			name = sel.Alias
		}
		typ := x.typ
		if agg.kind != aggNone {
			typ = agg.result(x.typ)
			p.isAgg = true
		}
		plain = plain && x.kind == termColumn && agg.kind == aggNone
		p.sel, p.aggs = append(p.sel, x), append(p.aggs, agg)
		p.cols = append(p.cols, wire.Column{Keyspace: t.Keyspace, Table: t.Name, Name: name, Type: typ})
	}
	if p.isAgg {
		for _, a := range p.aggs {
			if a.kind == aggNone && s.ycql {
				return s.src.QL(cqlerr.InvalidCQL, s.st.ListAt, "Selecting aggregate together with rows of non-aggregate values is not allowed")
			}
		}
	}
	if plain {
		for _, x := range p.sel {
			p.proj = append(p.proj, t.Columns[x.index])
		}
		p.sel, p.aggs = nil, nil
	}
	return nil
}

// selector compiles one item and gives the name of its column.
func (s *selectPlanner) selector(e *parse.Expr) (term, aggregate, string, error) {
	if e.Kind == parse.KindCall {
		if kind, ok := aggregates[e.Text]; ok && (e.Schema == "" || e.Schema == "system") {
			return s.aggregate(e, kind)
		}
	}
	switch e.Kind {
	case parse.KindColumn, parse.KindElement, parse.KindField, parse.KindCall:
		x, err := s.term(e, spec{name: s.text(e)})
		return x, aggregate{}, x.name, err
	case parse.KindCast:
		x, err := s.cast(e, spec{name: s.text(e)})
		return x, aggregate{}, x.name, err
	default:
	}
	return term{}, aggregate{}, "", s.src.Refuse("this selected expression", e.Span)
}

// keys finds out how the rows are reached: by partition keys, by token range or
// by a scan; with which bounds; and what must be filtered.
func (s *selectPlanner) keys() error {
	p, t, r := s.p, s.table, s.p.where
	restricted := 0
	for _, c := range t.PartitionKey {
		if r.cols[c.Index].exact() {
			restricted++
		}
	}
	partial := false
	for _, c := range t.PartitionKey {
		if x := r.cols[c.Index]; x != nil && !x.exact() {
			partial = true
		}
	}
	p.byKey = restricted == len(t.PartitionKey)
	p.scan = !p.byKey
	if r.token != nil && restricted > 0 && !s.ycql {
		return cqlerr.Invalid("Columns \"%s\" cannot be restricted by both a normal relation and a token relation", columnNames(t.PartitionKey))
	}
	needFilter := ""
	if partial && !s.ycql && !s.st.AllowFiltering && s.indexed() == nil {
		return cqlerr.Invalid(cannotExecute)
	}
	if restricted > 0 && !p.byKey {
		needFilter = "partition"
		if !s.ycql && !s.st.AllowFiltering && s.indexed() == nil {
			return cqlerr.Invalid(cannotExecute)
		}
	}
	if err := s.clusteringKeys(); err != nil {
		return err
	}
	// What is left over is filtered.
	for i := range r.filters {
		f := &r.filters[i]
		if s.covered(f) {
			continue
		}
		p.rest = append(p.rest, *f)
		if f.col.Kind > catalog.Clustering {
			needFilter = "column"
		} else if needFilter == "" {
			needFilter = "key"
		}
	}
	if p.scan && needFilter == "" {
		for _, c := range t.ClusteringKey {
			if r.cols[c.Index] != nil {
				needFilter = "clustering"
			}
		}
		if r.tuples != nil {
			needFilter = "clustering"
		}
	}
	p.index = s.indexed()
	if needFilter != "" && !s.ycql && !s.st.AllowFiltering {
		if p.index == nil || len(p.rest) > 1 || p.scan && s.keyFilters() {
			return cqlerr.Invalid(cannotExecute)
		}
	}
	p.pointRead = p.byKey && p.ckPrefix == len(t.ClusteringKey) && !s.hasIn() && r.tuples == nil && len(p.rest) == 0
	return nil
}

const cannotExecute = "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. " +
	"If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"

// keyFilters tells whether key columns are among what must be filtered.
func (s *selectPlanner) keyFilters() bool {
	for _, f := range s.p.rest {
		if f.col.Kind <= catalog.Clustering && (s.p.index == nil || s.p.index.col != f.col) {
			return true
		}
	}
	return false
}

func (s *selectPlanner) hasIn() bool {
	for _, x := range s.p.where.cols {
		if x.isIn() {
			return true
		}
	}
	return false
}

// clusteringKeys takes the longest run of exact restrictions, and the range
// behind it.
func (s *selectPlanner) clusteringKeys() error {
	p, t, r := s.p, s.table, s.p.where
	for p.ckPrefix < len(t.ClusteringKey) && r.cols[t.ClusteringKey[p.ckPrefix].Index].exact() {
		p.ckPrefix++
	}
	var gap *catalog.Column
	ranged := false
	for i, c := range t.ClusteringKey {
		x := r.cols[c.Index]
		inTuple := r.tuples != nil && i >= r.tuples.first && i < r.tuples.first+r.tuples.n
		if x == nil && !inTuple {
			if gap == nil {
				gap = c
			}
			continue
		}
		if s.ycql || s.st.AllowFiltering || s.indexed() != nil {
			continue
		}
		if gap != nil {
			return cqlerr.Invalid("PRIMARY KEY column \"%s\" cannot be restricted as preceding column \"%s\" is not restricted", c.Name, gap.Name)
		}
		if ranged {
			return cqlerr.Invalid("Clustering column \"%s\" cannot be restricted (preceding column \"%s\" is restricted by a non-EQ relation)", c.Name, t.ClusteringKey[i-1].Name)
		}
		if x != nil && !x.exact() {
			ranged = true
		}
	}
	if r.tuples != nil && r.tuples.first != p.ckPrefix {
		return s.src.Refuse("a multi-column relation that does not follow the restricted columns", r.tuples.at)
	}
	return nil
}

// covered tells whether the planner turned a relation into a key or a bound.
func (s *selectPlanner) covered(f *filter) bool {
	c := f.col
	if c.Kind > catalog.Clustering || f.left.kind != termColumn {
		return false
	}
	switch f.op {
	case parse.Eq, parse.In, parse.Lt, parse.Le, parse.Gt, parse.Ge, parse.Between:
	default:
		return false
	}
	if c.Kind == catalog.Partition {
		return s.p.byKey
	}
	if s.p.scan {
		return false
	}
	if s.p.where.cols[c.Index].other {
		return c.Position < s.p.ckPrefix && (f.op == parse.Eq || f.op == parse.In)
	}
	return c.Position < s.p.ckPrefix || c.Position == s.p.ckPrefix
}

// wanted collects the columns that must be read.
func (s *selectPlanner) wanted() {
	p, t := s.p, s.table
	for i := range p.rest {
		s.used[p.rest[i].col.Index] = true
	}
	keys := len(t.PartitionKey) + len(t.ClusteringKey)
	p.want = make(storage.Columns, len(t.Columns)-keys)
	all := true
	for _, c := range t.Columns[keys:] {
		p.want[c.Index-keys] = s.used[c.Index]
		all = all && s.used[c.Index]
		if s.used[c.Index] {
			p.needStatic = p.needStatic || c.Kind == catalog.Static
			p.needRegular = p.needRegular || c.Kind == catalog.Regular
		}
	}
	if all {
		p.want = nil
	}
}

// indexSearch is a relation that a secondary index serves.
type indexSearch struct {
	index *catalog.Index
	col   *catalog.Column
}

// indexed finds an index for one of the relations. Cassandra's indexes serve =.
func (s *selectPlanner) indexed() *indexSearch {
	for _, ix := range s.table.Indexes {
		c := s.table.Column(ix.Columns[0])
		if x := s.p.where.cols[c.Index]; x != nil && x.eq != nil {
			return &indexSearch{ix, c}
		}
	}
	return nil
}
