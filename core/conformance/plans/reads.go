package plans

import (
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// rangeRead is a read of many rows with a maker of its arguments.
type rangeRead struct {
	*plan.Read
	unordered bool // a scan of partitions, or of keys that are stored in another order
}

// pointReads reads whole rows.
var pointReads = func() map[*plan.Table]*plan.Read {
	reads := make(map[*plan.Table]*plan.Read)
	for _, t := range plan.AllTables {
		r := &plan.Read{Name: "point/" + t.Name, Table: t, Eq: len(t.Key), Columns: t.Columns}
		if len(t.Columns) == 0 {
			r.Columns = t.Key
		}
		reads[t] = r
	}
	return reads
}()

func everything(t *plan.Table) []*plan.Column {
	return append(append([]*plan.Column{}, t.Key...), t.Columns...)
}

// rangeReads reads parts of every table, in both directions where a store does
// so or might.
var rangeReads = func() (reads []rangeRead) {
	none := plan.RangeEnd{}
	ge := func(n int) plan.RangeEnd { return plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: n} }
	gt := func(n int) plan.RangeEnd { return plan.RangeEnd{Compare: plan.Greater, Width: n} }
	le := func(n int) plan.RangeEnd { return plan.RangeEnd{Compare: plan.LessOrEqual, Width: n} }
	lt := plan.RangeEnd{Compare: plan.Less, Width: 1}
	add := func(t *plan.Table, eq int, from, to plan.RangeEnd, change ...func(*plan.Read)) {
		r := &plan.Read{Name: "range/" + t.Name, Table: t, Columns: everything(t), Eq: eq, From: from, To: to}
		for _, c := range change {
			c(r)
		}
		reads = append(reads, rangeRead{Read: r})
	}
	scan := func(t *plan.Table, eq int) {
		add(t, eq, none, none)
		reads[len(reads)-1].unordered = true
	}
	desc := func(r *plan.Read) { r.Desc = true }
	limit := func(n plan.Limit) func(*plan.Read) { return func(r *plan.Read) { r.Limit = n } }
	count := func(r *plan.Read) { r.Count, r.Columns = true, nil }

	scan(plan.CurrentExecutions, 1)
	scan(plan.CurrentExecutions, 3)
	add(plan.Executions, 1, none, none)
	add(plan.Executions, 3, none, none)
	add(plan.HistoryTasks, 3, ge(1), lt)
	add(plan.HistoryTasks, 3, ge(1), lt, desc)
	add(plan.HistoryTasks, 2, ge(1), lt)
	add(plan.HistoryTasks, 2, ge(2), none)
	add(plan.ReplicationDLQ, 2, ge(1), lt)
	add(plan.ReplicationDLQ, 2, gt(1), none, limit(1))
	scan(plan.HistoryTree, 0)
	add(plan.HistoryTree, 1, none, none)
	add(plan.HistoryNodes, 2, ge(1), lt)
	add(plan.HistoryNodes, 2, ge(1), lt, desc)
	add(plan.HistoryNodes, 1, none, none)
	scan(plan.TaskQueues, 0)
	scan(plan.FairTaskQueues, 0)
	add(plan.Tasks, 4, ge(1), lt)
	add(plan.Tasks, 3, none, none)
	add(plan.FairTasks, 4, ge(2), none)
	add(plan.FairTasks, 4, ge(2), lt, limit(plan.LimitArg))
	add(plan.FairTasks, 4, none, le(2), desc)
	add(plan.FairTasks, 3, none, none)
	add(plan.UserData, 1, none, none)
	add(plan.BuildIDs, 2, none, none)
	add(plan.BuildIDs, 2, none, none, count)
	add(plan.BuildIDs, 1, none, none)
	add(plan.Namespaces, 0, none, none)
	add(plan.ClusterMetadata, 0, none, none)
	add(plan.ClusterMembers, 0, none, none)
	add(plan.ClusterMembers, 1, none, none, func(r *plan.Read) {
		r.Filters = []plan.Filter{{Column: plan.MemberAddress, Relation: plan.Is}, {Column: plan.MemberLastHeartbeat, Relation: plan.After}}
	})
	add(plan.QueueMessages, 1, gt(1), none, limit(plan.LimitArg))
	add(plan.QueueMessages, 1, gt(1), le(1))
	add(plan.QueueMessages, 1, none, none, desc, limit(1))
	scan(plan.QueuesV2, 1)
	add(plan.QueueV2Messages, 3, ge(1), none)
	add(plan.QueueV2Messages, 3, none, none, desc, limit(2))
	add(plan.NexusEndpoints, 0, none, none)
	add(plan.NexusEndpoints, 1, none, none)
	return reads
}()

// args makes arguments for a read.
func (g *Generator) args(r *plan.Read) []any {
	k := key(g.r, r.Table)
	args := append([]any{}, k[:r.Eq]...)
	category := int64(0)
	if r.Table == plan.HistoryTasks {
		category = k[1].(int64)
		if r.Eq == 2 { // a range of fire times
			category = []int64{2, 5}[g.r.IntN(2)]
			args[1] = category
		}
	}
	for _, end := range []plan.RangeEnd{r.From, r.To} {
		for i := range end.Width {
			c := r.Table.Key[r.Eq+i]
			v := keyValue(g.r, r.Table, c)
			if c == plan.TaskFireTime {
				v = fireTime(g.r, category)
			}
			args = append(args, v)
		}
	}
	for _, f := range r.Filters {
		args = append(args, value(g.r, f.Column))
	}
	if r.Limit == plan.LimitArg {
		args = append(args, int64(1+g.r.IntN(4)))
	}
	return args
}
