package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// perFamily is how many records of a family, those with most fields first, the
// negative control corrupts.
const perFamily = 2

// NegativeControl is a negative control's result.
type NegativeControl struct {
	Families, Records, Corruptions int
	Missed                         []string
}

// NegativeControl proves that verify would find what it claims to find: it takes
// records of every family from the target, makes two scratch copies of them in
// memory, corrupts every field of each record in every way in which its kind of
// value can be wrong, one at a time, and compares the copies as verify does. It
// changes neither side.
func (m *Migration) NegativeControl(ctx context.Context) (*NegativeControl, error) {
	if m.to.conn == nil {
		return nil, fmt.Errorf("verify: %w: run init and copy first", errNoRun)
	}
	chosen, err := m.specimens(ctx)
	if err != nil {
		return nil, err
	}
	var sides [2]*Side
	var writers [2]*records.Writer
	for i, name := range []string{"source", "target"} {
		ex := memory.NewExecutor(memory.NewState(), cql.Traits{TTL: true})
		sides[i] = &Side{Deployment: m.From, Name: name, raw: ex, read: ex, flow: newFlow(Limits{Concurrency: 64})}
		if writers[i], err = records.NewWriter(ex, records.WriterOptions{}); err != nil {
			return nil, err
		}
		for shard := range int64(m.From.Shards) {
			if err := writers[i].Hold(ctx, shard+1); err != nil {
				return nil, err
			}
		}
		if err := writers[i].Put(ctx, chosen); err != nil {
			return nil, fmt.Errorf("make a scratch copy: %w", err)
		}
	}
	c := &comparison{m: m, level: records.Content}
	if c.a, err = sides[0].pager(records.Options{}); err != nil {
		return nil, err
	}
	if c.b, err = sides[1].pager(records.Options{}); err != nil {
		return nil, err
	}
	result := &NegativeControl{Records: len(chosen)}
	families := make(map[records.Family]bool)
	if found, err := c.found(ctx); err != nil || len(found) > 0 {
		return nil, fmt.Errorf("compare two scratch copies that are the same: %d differences, %w", len(found), err)
	}
	for i := range chosen {
		r := &chosen[i]
		families[r.Family()] = true
		for _, x := range r.Corruptions() {
			result.Corruptions++
			if err := writers[1].Replace(ctx, []records.Record{x.Record}); err != nil {
				return nil, fmt.Errorf("corrupt %s (%s %s): %w", r.KeyString(), x.Path, x.What, err)
			}
			found, err := c.found(ctx)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(found, func(f Finding) bool {
				return f.Record == r.KeyString() && slices.ContainsFunc(f.Fields, func(s string) bool { return strings.HasPrefix(s, x.Path) })
			}) {
				result.Missed = append(result.Missed, fmt.Sprintf("%s %s: %s", r.KeyString(), x.Path, x.What))
			}
			if err := writers[1].Replace(ctx, []records.Record{*r}); err != nil {
				return nil, err
			}
		}
		if r.Kind == records.Shard {
			continue
		}
		// A record that is lost, and one that is too much.
		for j, w := range writers {
			result.Corruptions++
			if err := w.Delete(ctx, []records.Ref{r.Ref()}); err != nil {
				return nil, err
			}
			found, err := c.found(ctx)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(found, func(f Finding) bool {
				return f.Record == r.KeyString() && f.What == "only in the "+sides[1-j].Name
			}) {
				result.Missed = append(result.Missed, fmt.Sprintf("%s: not in the %s", r.KeyString(), sides[j].Name))
			}
			if err := w.Replace(ctx, []records.Record{*r}); err != nil {
				return nil, err
			}
		}
	}
	result.Families = len(families)
	return result, nil
}

// found compares as verify does.
func (c *comparison) found(ctx context.Context) ([]Finding, error) {
	a, b, err := c.digests(ctx)
	if err != nil {
		return nil, err
	}
	slots, err := a.Digest.Diff(b.Digest)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	err = c.differences(ctx, slots, func(diffs []records.RecordDiff) error { return c.tell(ctx, r, diffs) })
	return r.Findings, err
}

// specimens are some records of each family of the target.
func (m *Migration) specimens(ctx context.Context) ([]records.Record, error) {
	to, err := m.to.pager(records.Options{})
	if err != nil {
		return nil, err
	}
	best := make(map[records.Family][]records.Record)
	fields := func(r *records.Record) int {
		n := 0
		for _, v := range r.Values {
			if v != nil {
				n++
			}
		}
		return n
	}
	var mu sync.Mutex
	parts := to.sources[0].Parts(spans(m.From.Shards))
	err = each(ctx, len(parts), func(ctx context.Context, i int) error {
		return pages(ctx, to, parts[i], func(page *records.Page) error {
			mu.Lock()
			defer mu.Unlock()
			for j := range page.Records {
				r := page.Records[j]
				all := append(best[r.Family()], r)
				slices.SortStableFunc(all, func(x, y records.Record) int { return fields(&y) - fields(&x) })
				best[r.Family()] = all[:min(len(all), perFamily)]
			}
			return nil
		})
	})
	var chosen []records.Record
	for _, all := range best {
		chosen = append(chosen, all...)
	}
	return chosen, err
}
