package migrate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// Explain compares one unit record by record, down to the field, and writes what
// it finds. It changes nothing, and reports whether the sides agree. If containing
// is not empty, it is about those records only that hold this text somewhere, and
// shows those in which the sides agree as well.
func (m *Migration) Explain(ctx context.Context, unit records.Unit, decoded bool, containing string) (same bool, err error) {
	if m.to.conn == nil {
		return false, fmt.Errorf("explain %s: %w: run init and copy first", unit, errNoRun)
	}
	o := records.Options{FromAckLevel: true, SkipGarbage: true}
	from, err := m.from.pager(o)
	if err != nil {
		return false, err
	}
	o.SkipGarbage = false
	to, err := m.to.pager(o)
	if err != nil {
		return false, err
	}
	a, err := m.unit(ctx, from, unit)
	if err != nil {
		return false, err
	}
	b, err := m.unit(ctx, to, unit)
	if err != nil {
		return false, err
	}
	if containing != "" {
		for _, all := range []map[string]*records.Record{a, b} {
			maps.DeleteFunc(all, func(_ string, r *records.Record) bool { return !strings.Contains(r.Describe(true), containing) })
		}
	}
	names := make([]string, 0, len(a))
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if a[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	differ := 0
	now := time.Now().UnixMilli()
	gone := func(r *records.Record) bool { return r.Expires != 0 && r.Expires <= now+records.ExpiryTolerance }
	for _, name := range names {
		x, y := a[name], b[name]
		switch {
		case y == nil && !gone(x):
			m.printf("only in the source: %s", strings.TrimRight(x.Describe(decoded), "\n"))
		case x == nil && !gone(y):
			m.printf("only in the target: %s", strings.TrimRight(y.Describe(decoded), "\n"))
		case x == nil || y == nil:
			continue
		default:
			fields := records.Fields(x, y)
			if len(fields) == 0 {
				if containing != "" {
					m.printf("the same on both sides: %s", strings.TrimRight(x.Describe(decoded), "\n"))
				}
				continue
			}
			m.printf("differs (source, target): %s", name)
			if containing != "" {
				m.printf("  in the source: %s", strings.TrimRight(x.Describe(decoded), "\n"))
			}
			for _, f := range fields {
				m.printf("  %s", f)
			}
		}
		differ++
	}
	problems, err := m.problems(ctx, to, b, names)
	if err != nil {
		return false, err
	}
	m.printf("%s: %d records in the source, %d in the target, %d differ; %d problems of meaning in the target.", unit, len(a), len(b), differ, problems)
	return differ == 0 && problems == 0, nil
}

func (m *Migration) problems(ctx context.Context, to *pager, all map[string]*records.Record, names []string) (int, error) {
	count := 0
	for _, name := range names {
		if all[name] == nil {
			continue
		}
		found, err := to.points.Meaning(ctx, all[name])
		if err != nil {
			return 0, fmt.Errorf("check %s of the target: %w", name, err)
		}
		for _, p := range found {
			m.printf("%s", p)
			count++
		}
	}
	return count, nil
}

// unit reads the records of a unit by their names.
func (m *Migration) unit(ctx context.Context, p *pager, unit records.Unit) (map[string]*records.Record, error) {
	parts, _, err := p.sources[0].PartsOf(unit, spans(m.From.Shards))
	if err != nil {
		return nil, err
	}
	found := make([][]records.Record, len(parts))
	err = each(ctx, len(parts), func(ctx context.Context, i int) error {
		return pages(ctx, p, parts[i], func(page *records.Page) error {
			for j := range page.Records {
				if page.Records[j].Unit == unit {
					found[i] = append(found[i], page.Records[j])
				}
			}
			return nil
		})
	})
	all := make(map[string]*records.Record)
	for i := range found {
		for j := range found[i] {
			all[found[i][j].KeyString()] = &found[i][j]
		}
	}
	return all, err
}
