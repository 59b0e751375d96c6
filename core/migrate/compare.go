package migrate

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// comparison reads both sides and says in which records they differ.
type comparison struct {
	m     *Migration
	a, b  *pager
	level records.Level
	// tolerance of instants of expiry, in milliseconds; 0 is that of package records.
	tolerance int64
	// name is under which digests of parts are kept in the state directory, so that
	// a comparison that was broken off goes on; "" keeps none.
	name string
	// each, if set, is called for every record of the target, and its findings are
	// kept with the digest of the part.
	each func(ctx context.Context, all []records.Record) ([]Finding, error)
}

// partDigest is what is kept of a part that was read.
type partDigest struct {
	Version  int             `json:"version"`
	Digest   *records.Digest `json:"digest"`
	Rows     int64           `json:"rows"`
	Bytes    int64           `json:"bytes"`
	Garbage  int64           `json:"garbage"`
	Findings []Finding       `json:"findings,omitempty"`
}

// buckets is into how many a digest divides the keys of a unit and family: fewer
// where there are many shards, so that a digest keeps within about 100 MB.
func buckets(shards int32) int {
	switch {
	case shards <= 1024:
		return records.DefaultBuckets
	case shards <= 4096:
		return 4
	default:
		return 1
	}
}

func (c *comparison) newDigest() *records.Digest {
	d := records.NewDigest(c.level)
	d.Buckets = buckets(c.m.From.Shards)
	return d
}

// digests reads both sides.
func (c *comparison) digests(ctx context.Context) (a, b *partDigest, err error) {
	type job struct {
		side *pager
		part records.Part
		into *partDigest
		each func(context.Context, []records.Record) ([]Finding, error)
	}
	a = &partDigest{Digest: c.newDigest()}
	b = &partDigest{Digest: c.newDigest()}
	var jobs []job
	pa, pb := c.a.sources[0].Parts(spans(c.m.From.Shards)), c.b.sources[0].Parts(spans(c.m.From.Shards))
	for i := range max(len(pa), len(pb)) { // both sides at a time
		if i < len(pa) {
			jobs = append(jobs, job{c.a, pa[i], a, nil})
		}
		if i < len(pb) {
			jobs = append(jobs, job{c.b, pb[i], b, c.each})
		}
	}
	c.m.count.reset(len(jobs))
	var mu sync.Mutex
	err = each(ctx, len(jobs), func(ctx context.Context, i int) error {
		j := jobs[i]
		d, err := c.digest(ctx, j.side, j.part, j.each)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		j.into.Rows, j.into.Bytes, j.into.Garbage = j.into.Rows+d.Rows, j.into.Bytes+d.Bytes, j.into.Garbage+d.Garbage
		j.into.Findings = append(j.into.Findings, d.Findings...)
		c.m.count.done.Add(1)
		return j.into.Digest.Merge(d.Digest)
	})
	return a, b, err
}

// digest reads a part, unless it was read before a comparison was broken off.
func (c *comparison) digest(
	ctx context.Context, side *pager, part records.Part, each func(context.Context, []records.Record) ([]Finding, error),
) (*partDigest, error) {
	file := fmt.Sprintf("%s/%s/%s.json", c.name, side.side.Name, url.PathEscape(part.String()))
	d := &partDigest{}
	if c.name != "" {
		found, err := c.m.state.read(file, d)
		if err == nil && found && d.Version == RunVersion {
			c.m.count.rows.Add(d.Rows)
			c.m.count.bytes.Add(d.Bytes)
			return d, nil
		}
		if err != nil {
			c.m.progress.say(err.Error() + "; it is read again")
		}
	}
	*d = partDigest{Version: RunVersion, Digest: c.newDigest()}
	err := pages(ctx, side, part, func(page *records.Page) error {
		for i := range page.Records {
			d.Digest.Add(&page.Records[i])
		}
		n, size := int64(len(page.Records)), int64(sizeOf(page.Records))
		d.Rows, d.Bytes, d.Garbage = d.Rows+n, d.Bytes+size, d.Garbage+int64(page.Garbage)
		c.m.count.rows.Add(n)
		c.m.count.bytes.Add(size)
		if each == nil {
			return nil
		}
		found, err := each(ctx, page.Records)
		d.Findings = append(d.Findings, found...)
		return err
	})
	if err != nil || c.name == "" {
		return d, err
	}
	return d, c.m.state.write(file, d)
}

// pages calls do for every page of a part, while the next one is read.
func pages(ctx context.Context, side *pager, part records.Part, do func(*records.Page) error) error {
	ctx, cancel := context.WithCancel(ctx)
	type fetched struct {
		page records.Page
		err  error
	}
	ahead := make(chan fetched, 1)
	var reading sync.WaitGroup
	defer func() {
		cancel()
		reading.Wait()
	}()
	reading.Go(func() {
		defer close(ahead)
		r := &reader{pager: side}
		for at := records.Cursor(nil); ; {
			page, err := r.page(ctx, part, at)
			select {
			case ahead <- fetched{page, err}:
			case <-ctx.Done():
				return
			}
			if at = page.Next; err != nil || at == nil {
				return
			}
		}
	})
	ended := false
	for f := range ahead {
		if f.err != nil {
			return f.err
		}
		if err := do(&f.page); err != nil {
			return err
		}
		ended = f.page.Next == nil
	}
	if !ended {
		return context.Cause(ctx)
	}
	return nil
}

// mostKeys bounds how many records of both sides are held by their keys at a time:
// these take about 90 MB.
const mostKeys = 250_000

// differences reads again what the slots of a difference hold, and tells record by
// record, in groups of slots: do is called once for each group.
func (c *comparison) differences(ctx context.Context, slots []records.SlotDiff, do func([]records.RecordDiff) error) error {
	for len(slots) > 0 {
		n, count := 0, int64(0)
		for n < len(slots) {
			count += slots[n].Held()
			if n > 0 && count > mostKeys {
				break
			}
			n++
		}
		diffs, err := c.group(ctx, slots[:n])
		slots = slots[n:]
		if err == nil {
			err = do(diffs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) group(ctx context.Context, slots []records.SlotDiff) ([]records.RecordDiff, error) {
	form := c.newDigest()
	ka, kb := records.NewKeys(form, slots...), records.NewKeys(form, slots...)
	if c.tolerance > 0 {
		ka.Tolerance = c.tolerance
	}
	read := func(p *pager, k *records.Keys) error {
		parts := partsOf(p, slots, spans(c.m.From.Shards))
		var mu sync.Mutex
		return each(ctx, len(parts), func(ctx context.Context, i int) error {
			return pages(ctx, p, parts[i], func(page *records.Page) error {
				mu.Lock()
				defer mu.Unlock()
				for j := range page.Records {
					k.Add(&page.Records[j])
				}
				return nil
			})
		})
	}
	if err := read(c.a, ka); err != nil {
		return nil, err
	}
	if err := read(c.b, kb); err != nil {
		return nil, err
	}
	return ka.Diff(kb, time.Now().UnixMilli()), nil
}

// stagesOf are the stages in which records of a kind are read.
func stagesOf(k records.Kind, shardPartition bool) []records.Stage {
	switch k {
	case records.Shard, records.HistoryTask:
		return []records.Stage{records.ShardStage}
	case records.Current, records.Execution:
		if shardPartition {
			return []records.Stage{records.ShardStage}
		}
		return []records.Stage{records.ExecutionStage}
	case records.ReplicationDLQ:
		if shardPartition {
			return []records.Stage{records.ShardStage}
		}
		return []records.Stage{records.DLQStage}
	case records.Branch, records.Node:
		return []records.Stage{records.HistoryStage}
	case records.TaskQueue, records.Task:
		return []records.Stage{records.QueueStage}
	case records.FairTaskQueue, records.FairTask:
		return []records.Stage{records.FairQueueStage}
	case records.UserData, records.BuildID:
		return []records.Stage{records.UserDataStage}
	case records.Namespace, records.NamespaceID, records.NamespaceVersion:
		return []records.Stage{records.NamespaceStage}
	case records.ClusterMetadata:
		return []records.Stage{records.ClusterStage}
	case records.Queue, records.QueueMessage:
		return []records.Stage{records.MessageStage}
	case records.QueueV2, records.QueueV2Message:
		return []records.Stage{records.MessageV2Stage}
	default:
		return []records.Stage{records.NexusStage}
	}
}

// partsOf are the parts of a side in which the records of some slots are.
func partsOf(p *pager, slots []records.SlotDiff, n int) []records.Part {
	stages := make(map[records.Stage]bool)
	shards := make(map[int64]bool)
	for _, s := range slots {
		for _, stage := range stagesOf(s.Family.Kind, p.side.raw.Traits().ShardPartition) {
			stages[stage] = true
		}
		if shard, ok := s.Unit.Shard(); ok {
			shards[shard] = true
		}
	}
	return slices.DeleteFunc(p.sources[0].Parts(n), func(part records.Part) bool {
		return !stages[part.Stage] || part.Stage == records.ShardStage && !shards[part.Shard]
	})
}
