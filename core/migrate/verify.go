package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// Level is how far a verification goes. Each includes those before.
type Level uint8

// The levels.
const (
	LevelCounts   Level = iota + 1 // how many records of each kind
	LevelVersions                  // their keys and versions
	LevelContent                   // every field of every record
	LevelMeaning                   // blobs decode, histories are complete, records agree with each other
	LevelStores                    // Temporal's own stores read the same from both sides
)

var levelNames = []string{"", "counts", "versions", "content", "meaning", "stores"}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("level %d", uint8(l))
}

// ParseLevel reads a level's name.
func ParseLevel(text string) (Level, error) {
	if i := slices.Index(levelNames, text); i > 0 {
		return Level(i), nil
	}
	return 0, fmt.Errorf("%q is no level: give %s", text, strings.Join(levelNames[1:], ", "))
}

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) (err error) {
	*l, err = ParseLevel(string(text))
	return err
}

// Finding is something that a verification found: a record in which the sides
// differ, or one whose meaning does not hold.
type Finding struct {
	Unit   records.Unit `json:"unit"`
	Record string       `json:"record"`
	What   string       `json:"what"`
	Fields []string     `json:"fields,omitempty"`
	// Both marks what is wrong with the source's record in the same way: it was so
	// before.
	Both bool `json:"both,omitempty"`
}

func (f Finding) String() string {
	s := fmt.Sprintf("%s %s: %s", f.Unit, f.Record, f.What)
	if f.Both {
		s += " (the source has it, too)"
	}
	for _, field := range f.Fields {
		s += "\n    " + field
	}
	return s
}

// Report is the result of a verification. Its JSON form has version 1.
type Report struct {
	Version int    `json:"version"`
	Run     string `json:"run"`
	Verdict
	Garbage  int64            `json:"garbageTrees"`
	Families map[string]int64 `json:"families"`
	// Findings are the first of them.
	Findings []Finding `json:"findings,omitempty"`
}

// mostFindings is how many are kept, and of how many the fields are told.
const mostFindings = 1000

// reportName is the file in the state directory that holds the last report.
const reportName = "verify-report.json"

// Verify compares both sides, to the level that is asked for, and stores what came
// of it. It changes neither. Broken off, it goes on with the parts that were not
// read yet.
func (m *Migration) Verify(ctx context.Context) (*Report, error) {
	if m.Level == 0 {
		m.Level = LevelMeaning
	}
	var report *Report
	err := m.exclusively(ctx, "verify", func(ctx context.Context) error {
		if m.DryRun {
			m.printf("verify would read both sides and compare them to level %s. Neither side would be changed.", m.Level)
			return nil
		}
		if err := m.stillHeld(ctx); err != nil {
			return err
		}
		name := fmt.Sprintf("verify-%d-%s", m.run.Pass, m.Level)
		var err error
		if report, err = m.verify(ctx, m.from, m.to, name); err != nil {
			return err
		}
		m.run.Verdict = &report.Verdict
		if err := m.state.write(reportName, report); err != nil {
			return err
		}
		if err := m.save(ctx); err != nil {
			return err
		}
		return m.state.clear(name)
	})
	return report, err
}

// verify compares side b with side a, of which it is a copy.
func (m *Migration) verify(ctx context.Context, a, b *Side, name string) (*Report, error) {
	m.progress.begin("verify")
	defer m.progress.end()
	c := &comparison{m: m, name: name, level: records.Level(min(m.Level, LevelContent))}
	var err error
	if c.a, err = a.pager(records.Options{FromAckLevel: true, SkipGarbage: true}); err != nil {
		return nil, err
	}
	if c.b, err = b.pager(records.Options{FromAckLevel: true, SkipGarbage: b == m.from}); err != nil {
		return nil, err
	}
	if m.Level >= LevelMeaning {
		c.each = c.meaning
	}
	da, db, err := c.digests(ctx)
	if err != nil {
		return nil, err
	}
	slots, err := da.Digest.Diff(db.Digest)
	if err != nil {
		return nil, err
	}
	r := &Report{Version: 1, Run: m.run.ID, Garbage: da.Garbage, Families: make(map[string]int64)}
	r.Verdict = Verdict{Pass: m.run.Pass, Level: m.Level, Counts: db.Rows}
	for family, n := range db.Digest.Totals() {
		r.Families[family.String()] = n
	}
	if m.Level == LevelCounts {
		r.counts(da.Digest, db.Digest)
	} else if err := c.differences(ctx, slots, func(diffs []records.RecordDiff) error { return c.tell(ctx, r, diffs) }); err != nil {
		return nil, err
	}
	for _, f := range db.Findings {
		r.add(f)
	}
	if m.Level >= LevelStores {
		found, err := m.compareStores(ctx, a, b)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			r.add(f)
		}
	}
	r.At = time.Now().UTC().Truncate(time.Second)
	r.Clean = r.Finds == 0 && (r.Both == 0 || m.AcceptProblems)
	return r, nil
}

func (r *Report) add(f Finding) {
	if f.Both {
		r.Both++
	} else {
		r.Finds++
	}
	if len(r.Findings) < mostFindings {
		r.Findings = append(r.Findings, f)
	}
}

// counts compares numbers of records by family. Those that expire may differ.
func (r *Report) counts(a, b *records.Digest) {
	na, nb := make(map[records.Slot][2]int64), make(map[records.Slot][2]int64)
	for _, x := range []struct {
		d *records.Digest
		n map[records.Slot][2]int64
	}{{a, na}, {b, nb}} {
		for slot, cell := range x.d.Cells {
			slot.Bucket = 0
			n := x.n[slot]
			x.n[slot] = [2]int64{n[0] + cell.Count, n[1] + cell.Expiring}
		}
	}
	for slot := range nb {
		if _, both := na[slot]; !both {
			na[slot] = [2]int64{}
		}
	}
	for slot, x := range na {
		if y := nb[slot]; x[0] != y[0] {
			r.add(Finding{Unit: slot.Unit, Record: slot.Family.String(), What: fmt.Sprintf("%d records in the source, %d in the target", x[0], y[0])})
		}
	}
}

// tell adds differences to a report, with the fields of the first ones.
func (c *comparison) tell(ctx context.Context, r *Report, diffs []records.RecordDiff) error {
	for _, d := range diffs {
		f := Finding{Unit: d.Unit, Record: (&records.Record{Kind: d.Kind, Key: d.Key}).KeyString(), What: string(d.Why)}
		switch d.Why {
		case records.OnlyA:
			f.What = "only in the " + c.a.side.Name
		case records.OnlyB:
			f.What = "only in the " + c.b.side.Name
		default:
			if len(r.Findings) >= mostFindings {
				break
			}
			x, err := c.a.points.Get(ctx, d.Ref)
			if err != nil {
				return fmt.Errorf("read %s of the %s: %w", d.Ref, c.a.side.Name, err)
			}
			y, err := c.b.points.Get(ctx, d.Ref)
			if err != nil {
				return fmt.Errorf("read %s of the %s: %w", d.Ref, c.b.side.Name, err)
			}
			if x != nil && y != nil {
				for _, field := range records.Fields(x, y) {
					f.Fields = append(f.Fields, field.String())
				}
				if d.Why == records.Expires && len(f.Fields) == 0 {
					continue // the page was long in coming; asked alone, they agree
				}
			}
		}
		r.add(f)
	}
	return nil
}

// meaning checks what records of the target mean. A problem that the source's
// record has as well is marked.
func (c *comparison) meaning(ctx context.Context, all []records.Record) ([]Finding, error) {
	found := make([][]Finding, len(all))
	err := each(ctx, len(all), func(ctx context.Context, i int) error {
		problems, err := c.b.points.Meaning(ctx, &all[i])
		if err != nil {
			return fmt.Errorf("check %s of the %s: %w", all[i].Ref(), c.b.side.Name, err)
		}
		if len(problems) == 0 {
			return nil
		}
		var before []records.Problem
		x, err := c.a.points.Get(ctx, all[i].Ref())
		if err == nil && x != nil {
			before, err = c.a.points.Meaning(ctx, x)
		}
		if err != nil {
			return fmt.Errorf("check %s of the %s: %w", all[i].Ref(), c.a.side.Name, err)
		}
		for _, p := range problems {
			found[i] = append(found[i], Finding{
				Unit: p.Unit, Record: all[i].KeyString(), What: strings.TrimSpace(p.Path + " " + p.What),
				Both: slices.ContainsFunc(before, func(q records.Problem) bool { return q.Path == p.Path && q.What == p.What }),
			})
		}
		return nil
	})
	return slices.Concat(found...), err
}

// Text is a report for people: the verdict, and the first findings.
func (r *Report) Text() string {
	var b strings.Builder
	const most = 50
	for i, f := range r.Findings {
		if i == most {
			fmt.Fprintf(&b, "... and %d more, %d of them in the report\n", r.Finds+r.Both-most, len(r.Findings)-most)
			break
		}
		fmt.Fprintln(&b, f)
	}
	verdict := "not clean"
	if r.Clean {
		verdict = "clean"
	}
	fmt.Fprintf(&b, "%d records compared to level %s: %d differences or problems, %d problems that the source has, too; %d history trees without a workflow were not copied.\nThe verification is %s.\n",
		r.Counts, r.Level, r.Finds, r.Both, r.Garbage, verdict)
	return b.String()
}
