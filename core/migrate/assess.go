package migrate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// Assessment is what a source holds and what a migration would take. Its JSON form
// has version 1.
type Assessment struct {
	Version      int      `json:"version"`
	From         Place    `json:"from"`
	To           Place    `json:"to"`
	SourceServer string   `json:"sourceServer"`
	SourceSchema string   `json:"sourceSchema"`
	TargetSchema string   `json:"targetSchema"` // empty: none yet
	Shards       int32    `json:"shards"`
	Families     []Family `json:"families"`
	Rows         int64    `json:"rows"`
	Bytes        int64    `json:"bytes"`
	Garbage      int64    `json:"garbageTrees"`
	// Largest partitions, and shards, by the bytes of their records.
	Fat       []Partition `json:"fatPartitions"`
	FatShards []Partition `json:"largestShards"`
	// Unknown is what this program does not know, Beyond what the target cannot
	// hold, Faults what else keeps a migration from beginning.
	Unknown []string `json:"unknown,omitempty"`
	Beyond  []string `json:"beyondLimits,omitempty"`
	Faults  []string `json:"faults,omitempty"`
	// SkewMilliseconds is the clock of the source against this machine's, and the
	// target's; null: it was not asked.
	SourceSkew *float64 `json:"sourceSkewMilliseconds"`
	TargetSkew *float64 `json:"targetSkewMilliseconds"`
	Hosts      []string `json:"hosts,omitempty"` // of the source that are alive
	// ReadRowsPerSecond was measured; Seconds are estimates made of it.
	ReadRowsPerSecond float64  `json:"readRowsPerSecond"`
	CopySeconds       float64  `json:"copySeconds"`
	VerifySeconds     float64  `json:"verifySeconds"`
	NotCarried        []string `json:"notCarried"`
}

// Family is how much there is of a kind of records.
type Family struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// Partition is a part of the source that is read and written as one.
type Partition struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// notCarried is what a migration leaves behind, and why.
var notCarried = []string{
	"cluster membership: hosts of the target announce themselves",
	"schema version and history: the target has its own",
	"the visibility store (lists of workflows): it is another database, which both configurations may name; what is not in it yet travels as visibility tasks",
	"history trees without a workflow: garbage that the server's scavenger would remove; counted, not copied",
	"history tasks below the level that all their readers have done",
}

// mostFat is how many of the largest partitions are named.
const mostFat = 10

// copyRate is what was copied to an embedded target, in records a second, on two
// processors that were busy with other things as well (docs/results/migrate.json).
// The estimate is the slower of this and reading.
const copyRate = 6_000

// Assess reads all of the source and changes nothing.
func (m *Migration) Assess(ctx context.Context) (*Assessment, error) {
	a := &Assessment{
		Version: 1, From: m.From.place(), To: m.To.place(), SourceServer: m.from.Server, Shards: m.From.Shards, NotCarried: notCarried,
	}
	if v, err := schema.ReadVersion(ctx, m.from.admin, m.from.Opener.Keyspace()); err == nil {
		a.SourceSchema = v.Current
	}
	if v, err := schema.ReadVersion(ctx, m.to.admin, m.to.Opener.Keyspace()); err == nil {
		a.TargetSchema = v.Current
	}
	unknown, err := m.unknown(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range unknown {
		a.Unknown = append(a.Unknown, u.String())
	}
	if err := m.checkCluster(ctx); err != nil {
		a.Faults = append(a.Faults, err.Error())
	}
	if _, local := m.from.Opener.(backend.InProcess); !local {
		found, err := m.from.hosts(ctx, m.HostTimeout)
		if err != nil {
			return nil, err
		}
		for _, h := range found {
			a.Hosts = append(a.Hosts, h.String())
		}
		slices.Sort(a.Hosts)
	}
	a.SourceSkew, a.TargetSkew = m.from.skew(ctx), m.to.skew(ctx)
	if len(a.Unknown) > 0 {
		return a, nil // it cannot all be read
	}
	return a, m.sizes(ctx, a)
}

// sizes reads all records.
func (m *Migration) sizes(ctx context.Context, a *Assessment) error {
	from, err := m.from.pager(records.Options{FromAckLevel: true, SkipGarbage: true})
	if err != nil {
		return err
	}
	parts := from.sources[0].Parts(spans(m.From.Shards))
	m.count.reset(len(parts))
	m.progress.begin("assess")
	defer m.progress.end()
	// What fits is known without a keyspace, so the target need not exist.
	to, err := records.NewWriter(exec.New(nil, m.to.dialect, nil), records.WriterOptions{})
	if err != nil {
		return err
	}
	begin := time.Now()
	var mu sync.Mutex
	families := make(map[records.Family]*Family)
	shards := make(map[records.Unit]*Partition)
	err = each(ctx, len(parts), func(ctx context.Context, i int) error {
		fat := make(map[string]*Partition)
		err := pages(ctx, from, parts[i], func(page *records.Page) error {
			mu.Lock()
			defer mu.Unlock()
			a.Garbage += int64(page.Garbage)
			for j := range page.Records {
				r := &page.Records[j]
				if why := to.Fits(r); why != "" && len(a.Beyond) < mostFindings {
					a.Beyond = append(a.Beyond, fmt.Sprintf("%s %s", r.Ref(), why))
				}
				n := int64(r.Size())
				f := families[r.Family()]
				if f == nil {
					f = &Family{Name: r.Family().String()}
					families[r.Family()] = f
				}
				f.Rows, f.Bytes = f.Rows+1, f.Bytes+n
				grow(fat, partitionOf(r, m.from.raw.Traits().ShardPartition), n)
				if _, ok := r.Unit.Shard(); ok {
					p := shards[r.Unit]
					if p == nil {
						p = &Partition{Name: string(r.Unit)}
						shards[r.Unit] = p
					}
					p.Rows, p.Bytes = p.Rows+1, p.Bytes+n
				}
			}
			m.count.rows.Add(int64(len(page.Records)))
			m.count.bytes.Add(int64(sizeOf(page.Records)))
			return nil
		})
		mu.Lock()
		defer mu.Unlock()
		m.count.done.Add(1)
		for _, p := range fat {
			a.Fat = append(a.Fat, *p)
		}
		a.Fat = largest(a.Fat)
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range families {
		a.Families = append(a.Families, *f)
		a.Rows, a.Bytes = a.Rows+f.Rows, a.Bytes+f.Bytes
	}
	slices.SortFunc(a.Families, func(x, y Family) int { return cmp.Compare(x.Name, y.Name) })
	for _, p := range shards {
		a.FatShards = append(a.FatShards, *p)
	}
	a.FatShards = largest(a.FatShards)
	a.ReadRowsPerSecond = float64(a.Rows) / max(0.001, time.Since(begin).Seconds())
	a.CopySeconds = float64(a.Rows) / min(copyRate, max(1, a.ReadRowsPerSecond))
	a.VerifySeconds = 2 * float64(a.Rows) / max(1, a.ReadRowsPerSecond)
	return nil
}

func grow(all map[string]*Partition, name string, n int64) {
	p := all[name]
	if p == nil {
		if len(all) > 100_000 { // the small ones are not what is looked for
			for k, q := range all {
				if q.Bytes < 1<<16 {
					delete(all, k)
				}
			}
		}
		p = &Partition{Name: name}
		all[name] = p
	}
	p.Rows, p.Bytes = p.Rows+1, p.Bytes+n
}

// partitionOf names the partition in which a record is stored.
func partitionOf(r *records.Record, shardPartition bool) string {
	keys := 1
	switch r.Kind {
	case records.Shard, records.Current, records.Execution, records.HistoryTask, records.ReplicationDLQ:
		if shardPartition {
			return "executions of " + string(records.ShardUnit(r.Key[0].(int64)))
		}
		if r.Kind != records.HistoryTask {
			keys = len(r.Key)
		}
	case records.TaskQueue, records.Task, records.FairTaskQueue, records.FairTask:
		return string(r.Unit)
	default:
	}
	var b strings.Builder
	b.WriteString(r.Kind.Table().Name)
	for i := range min(keys, len(r.Key)) {
		b.WriteString(" " + plan.FormatValue(r.Key[i]))
	}
	return b.String()
}

func largest(all []Partition) []Partition {
	slices.SortFunc(all, func(x, y Partition) int { return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(x.Name, y.Name)) })
	return all[:min(len(all), mostFat)]
}

// skew is the clock of a side's server against this machine's, in milliseconds; of
// several answers the quickest says most. It is nil where there is none of its own.
func (s *Side) skew(ctx context.Context) *float64 {
	if _, local := s.Opener.(backend.InProcess); local {
		return nil
	}
	var best *float64
	quickest := time.Hour
	for range 5 {
		before := time.Now()
		rows, err := s.admin.Query(ctx, `SELECT toUnixTimestamp(now()) AS at FROM system.local WHERE key = 'local'`)
		took := time.Since(before)
		if err != nil || len(rows) == 0 {
			return best
		}
		if at, ok := rows[0]["at"].(int64); ok && took < quickest {
			quickest = took
			skew := float64(time.UnixMilli(at).Sub(before.Add(took/2)).Microseconds()) / 1000
			best = &skew
		}
	}
	return best
}
