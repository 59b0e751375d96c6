package plans

import (
	"fmt"
	"math/rand/v2"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Generator makes random plans. It is used by one goroutine.
type Generator struct {
	r *rand.Rand
	n int
	// Current returns the value that a column has now, so that conditions hold
	// about as often as not; nil for null.
	Current func(t *plan.Table, key []any, c *plan.Column) any
}

// NewGenerator returns a generator whose plans follow from a seed.
func NewGenerator(seed uint64, current func(*plan.Table, []any, *plan.Column) any) *Generator {
	return &Generator{r: rand.New(rand.NewPCG(seed, 7)), Current: current} //nolint:gosec // a run must be repeatable
}

// lone are tables whose writes stand alone, each row in a partition of its own.
var lone = []*plan.Table{plan.NamespaceIDs, plan.QueueMetadata, plan.QueuesV2, plan.HistoryTree, plan.HistoryNodes}

// neighbours are tables whose rows may be written together, with the columns
// that must be the same.
var neighbours = [][]*plan.Table{
	{plan.Shards, plan.CurrentExecutions, plan.Executions, plan.HistoryTasks, plan.ReplicationDLQ},
	{plan.Shards, plan.CurrentExecutions, plan.Executions, plan.HistoryTasks}, // more often than others
	{plan.TaskQueues, plan.Tasks},
	{plan.FairTaskQueues, plan.FairTasks},
	{plan.UserData, plan.BuildIDs},
	{plan.Namespaces, plan.NamespaceVersion},
	{plan.ClusterMetadata},
	{plan.ClusterMembers},
	{plan.NexusEndpoints},
	{plan.QueueMessages},
	{plan.QueueV2Messages},
}

// Write makes the next write.
func (g *Generator) Write() *plan.Write {
	g.n++
	w := &plan.Write{Name: fmt.Sprintf("random %d", g.n), Scope: plan.Atomic}
	if g.r.IntN(8) == 0 {
		g.apart(w)
		return w
	}
	group := neighbours[g.r.IntN(len(neighbours))]
	locality := key(g.r, group[0])
	rows := map[string]bool{}
	for range 1 + g.r.IntN(5) {
		t := group[g.r.IntN(len(group))]
		k := key(g.r, t)
		near(k, group[0], locality)
		g.add(w, rows, t, k, true)
	}
	g.addHistory(w, rows, group[0] == plan.Shards)
	return w
}

// near moves a key into the partition of another, of the first table of a
// group: it takes the values of the columns that both begin with.
func near(k []any, first *plan.Table, locality []any) {
	shared := map[*plan.Table]int{
		plan.Shards: 1, plan.TaskQueues: 3, plan.FairTaskQueues: 3, plan.UserData: 1, plan.QueueMessages: 1, plan.QueueV2Messages: 3,
	}[first]
	copy(k[:min(shared, len(k))], locality)
}

// apart writes rows of partitions of their own: one with conditions, or
// several without, in order or all at once.
func (g *Generator) apart(w *plan.Write) {
	rows := map[string]bool{}
	conditional := g.r.IntN(2) == 0
	n := 1
	if !conditional {
		n += g.r.IntN(3)
		w.Scope = []plan.Scope{plan.Atomic, plan.Ordered}[g.r.IntN(2)]
	}
	for range n {
		t := lone[g.r.IntN(len(lone))]
		g.add(w, rows, t, key(g.r, t), conditional)
	}
}

// addHistory adds immutable rows ahead, as writes of executions have them.
func (g *Generator) addHistory(w *plan.Write, rows map[string]bool, likely bool) {
	if !likely || g.r.IntN(3) > 0 || len(w.Mutations) == 0 || w.Mutations[0].Ahead {
		return
	}
	for group := range 1 + g.r.IntN(2) {
		for _, t := range []*plan.Table{plan.HistoryTree, plan.HistoryNodes} {
			k := key(g.r, t)
			if id := t.Name + fmt.Sprint(k); !rows[id] {
				rows[id] = true
				m := plan.Mutation{Table: t, Op: plan.Insert, Key: k, Ahead: true, Group: 1 + group}
				g.effects(&m, true)
				w.Mutations = append(w.Mutations, m)
			}
		}
	}
}

// add makes one mutation of a row that the write does not touch yet.
func (g *Generator) add(w *plan.Write, rows map[string]bool, t *plan.Table, k []any, conditional bool) {
	m := plan.Mutation{Table: t, Key: k}
	switch g.r.IntN(10) {
	case 0:
		m.Op = plan.Delete
	case 1:
		if g.deleteRange(&m) {
			for _, other := range w.Mutations {
				if other.Table == t {
					return // would overlap
				}
			}
			rows[t.Name] = true
			w.Mutations = append(w.Mutations, m)
			return
		}
		m.Op = plan.Delete
	case 2:
		m.Op = plan.Assert
		if !conditional || len(t.Columns) == 0 {
			return
		}
	case 3, 4, 5:
		m.Op = plan.Update
		if len(t.Columns) == 0 {
			m.Op = plan.Insert
		}
	default:
		m.Op = plan.Insert
	}
	id := t.Name + fmt.Sprint(k)
	if rows[id] || rows[t.Name] {
		return
	}
	rows[id] = true
	if conditional && (m.Op == plan.Assert || g.r.IntN(2) == 0) {
		g.conditions(&m)
	}
	if m.Op == plan.Insert || m.Op == plan.Update {
		g.effects(&m, m.Op == plan.Insert)
		m.Ahead = t.Sequenced && len(m.Conds) == 0 && len(w.Mutations) > 0
		if m.Op == plan.Update && g.r.IntN(4) == 0 {
			m.Live = true
		}
		if g.r.IntN(6) == 0 && !t.Sequenced && t != plan.Executions {
			m.TTL = 3600 + int64(g.r.IntN(1000))
		}
	}
	if m.Op == plan.Assert && len(m.Conds) == 0 {
		return
	}
	for _, c := range t.Columns {
		if !c.Kind.Collection() && len(m.Conds) > 0 && g.r.IntN(3) == 0 {
			m.Show = append(m.Show, c)
		}
	}
	w.Mutations = append(w.Mutations, m)
}

// deleteRange turns a mutation into one of a range under a prefix of its key.
func (g *Generator) deleteRange(m *plan.Mutation) bool {
	prefixes := map[*plan.Table][]int{
		plan.HistoryTasks: {2, 3}, plan.ReplicationDLQ: {2}, plan.HistoryNodes: {2}, plan.Tasks: {4}, plan.FairTasks: {4},
		plan.QueueMessages: {1}, plan.QueueV2Messages: {3}, plan.BuildIDs: {2},
	}[m.Table]
	if prefixes == nil {
		return false
	}
	n := prefixes[g.r.IntN(len(prefixes))]
	m.Op, m.Key = plan.DeleteRange, m.Key[:n]
	category := int64(0)
	if m.Table == plan.HistoryTasks {
		category = m.Key[1].(int64)
		if scheduled := category == 2 || category == 5; scheduled != (n == 2) {
			n = map[bool]int{true: 2, false: 3}[scheduled]
			m.Key = append(m.Key[:2:2], plan.Immediate)[:n]
		}
	}
	width := len(m.Table.Key) - n
	if m.Table == plan.HistoryTasks || m.Table == plan.HistoryNodes {
		width = 1
	}
	values := func() []any {
		v := make([]any, 1+g.r.IntN(width))
		for i := range v {
			c := m.Table.Key[n+i]
			v[i] = keyValue(g.r, m.Table, c)
			if c == plan.TaskFireTime {
				v[i] = fireTime(g.r, category)
			}
		}
		return v
	}
	if g.r.IntN(4) > 0 {
		m.From = plan.Bound{Compare: []plan.Compare{plan.GreaterOrEqual, plan.Greater}[g.r.IntN(2)], Values: values()}
	}
	if g.r.IntN(4) > 0 {
		m.To = plan.Bound{Compare: []plan.Compare{plan.LessOrEqual, plan.Less}[g.r.IntN(2)], Values: values()}
	}
	return true
}

func (g *Generator) conditions(m *plan.Mutation) {
	var scalars []*plan.Column
	for _, c := range m.Table.Columns {
		if !c.Kind.Collection() {
			scalars = append(scalars, c)
		}
	}
	exists := len(required[m.Table]) > 0 && g.Current(m.Table, m.Key, required[m.Table][0]) != nil
	switch choice := g.r.IntN(6); {
	case choice == 0 || m.Op == plan.Insert && choice < 4 && !exists:
		if m.Op != plan.Delete && (m.Op == plan.Insert || len(required[m.Table]) > 0) {
			m.Conds = []plan.Cond{{Test: plan.RowAbsent}}
			return
		}
	case choice == 1 && m.Op != plan.Insert:
		m.Conds = []plan.Cond{{Test: plan.RowPresent}}
		return
	}
	if len(scalars) == 0 || m.Op == plan.Insert && g.r.IntN(2) == 0 {
		return
	}
	for _, i := range g.r.Perm(len(scalars))[:1+g.r.IntN(min(2, len(scalars)))] {
		c := plan.Cond{Test: plan.Equal, Column: scalars[i], Value: g.Current(m.Table, m.Key, scalars[i])}
		if c.Value == nil || g.r.IntN(4) == 0 {
			c.Value = value(g.r, c.Column)
		}
		if g.r.IntN(4) == 0 {
			c.Test = plan.EqualOrAbsent
		}
		if b, ok := c.Value.(plan.Blob); ok && (b.Data == nil || b.Encoding == "") {
			continue // half a blob cannot be compared everywhere
		}
		m.Conds = append(m.Conds, c)
	}
}

// effects sets what every writer sets, and some of the rest.
func (g *Generator) effects(m *plan.Mutation, whole bool) {
	for _, c := range m.Table.Columns {
		must := false
		for _, need := range required[m.Table] {
			must = must || need == c
		}
		switch {
		case must:
			m.Effects = append(m.Effects, plan.Effect{Op: plan.Set, Column: c, Value: value(g.r, c)})
		case !whole && g.r.IntN(2) == 0:
		case !c.Kind.Collection():
			g.scalar(m, c)
		default:
			g.collection(m, c)
		}
	}
}

func (g *Generator) scalar(m *plan.Mutation, c *plan.Column) {
	e := plan.Effect{Op: plan.Set, Column: c, Value: value(g.r, c)}
	switch g.r.IntN(8) {
	case 0:
		e = plan.Effect{Op: plan.Clear, Column: c}
	case 1:
		if c.Kind == plan.Data {
			e.Value = plan.Blob{Encoding: "Unspecified"}
		}
	}
	m.Effects = append(m.Effects, e)
}

func (g *Generator) collection(m *plan.Mutation, c *plan.Column) {
	v := value(g.r, c)
	switch choice := g.r.IntN(8); {
	case choice == 0:
		m.Effects = append(m.Effects, plan.Effect{Op: plan.Clear, Column: c})
	case choice == 1:
		m.Effects = append(m.Effects, plan.Effect{Op: plan.Set, Column: c, Value: v})
	case c.Kind == plan.DataList:
		m.Effects = append(m.Effects, plan.Effect{Op: plan.Append, Column: c, Value: plan.Blob{Data: []byte{9}, Encoding: encoding(g.r)}})
	default:
		m.Effects = append(m.Effects, plan.Effect{Op: plan.Merge, Column: c, Value: v})
		if g.r.IntN(2) == 0 {
			m.Effects = append(m.Effects, plan.Effect{Op: plan.Drop, Column: c, Value: others(g.r, c.Kind, v)})
		}
	}
}
