package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Status is what the run table says. Its JSON form has version 1.
type Status struct {
	Version  int       `json:"version"`
	Run      *Run      `json:"run"` // null: there is none
	Progress *Progress `json:"progress,omitempty"`
	Stages   []Stage   `json:"stages,omitempty"`
	Failed   []string  `json:"failed,omitempty"`
}

// Stage sums up the work list of a stage.
type Stage struct {
	Name  string `json:"name"`
	Parts int    `json:"parts"`
	Done  int    `json:"done"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// Status reads the run table. It takes no lease: another migrator may be at work.
func (m *Migration) Status(ctx context.Context) (*Status, error) {
	s := &Status{Version: 1, Run: m.run}
	if m.run == nil {
		return s, nil
	}
	text, found, err := m.table.get(ctx, itemProgress)
	if err != nil {
		return nil, err
	}
	if found {
		s.Progress = &Progress{}
		if err := json.Unmarshal([]byte(text), s.Progress); err != nil {
			return nil, err
		}
	}
	parts, err := m.table.parts(ctx)
	if err != nil {
		return nil, err
	}
	for _, phase := range phases {
		for _, stage := range phase {
			x := Stage{Name: string(stage)}
			for _, w := range parts {
				if w.part.Stage != stage {
					continue
				}
				x.Parts++
				x.Rows, x.Bytes = x.Rows+w.Rows, x.Bytes+w.Bytes
				if w.Done {
					x.Done++
				}
				if w.Error != "" {
					s.Failed = append(s.Failed, w.Part+": "+w.Error)
				}
			}
			if x.Parts > 0 {
				s.Stages = append(s.Stages, x)
			}
		}
	}
	return s, nil
}

// Text is a status for people.
func (s *Status) Text() string {
	if s.Run == nil {
		return "The target has no run of a migration: init begins one.\n"
	}
	r := s.Run
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name string, format string, args ...any) {
		_, _ = fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) // into memory
	}
	when := func(name string, at time.Time) {
		if !at.IsZero() {
			row(name, "%s", stamp(at))
		}
	}
	row("run", "%s, begun %s", r.ID, stamp(r.Created))
	row("from", "%s", r.From)
	row("to", "%s", r.To)
	row("phase", "%s", r.Phase)
	when("source fenced", r.FencedAt)
	row("copies begun", "%d", r.Pass)
	when("copied", r.CopiedAt)
	if v := r.Verdict; v != nil {
		row("verified", "%s, copy %d, level %s: %d records, %d differences or problems, %d that the source has, too; clean: %t",
			stamp(v.At), v.Pass, v.Level, v.Counts, v.Finds, v.Both, v.Clean)
	}
	when("switched", r.SwitchedAt)
	if r.Back != "" {
		row("rollback", "step %s", r.Back)
	}
	when("rolled back", r.RolledBackAt)
	if s.Progress != nil {
		row("last seen", "%s %s", stamp(s.Progress.At), s.Progress)
	}
	_ = t.Flush() // the same
	if len(s.Stages) > 0 {
		t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		_, _ = fmt.Fprintf(t, "\nfirst copy\tparts\tdone\trecords\tMB\t\n")
		for _, x := range s.Stages {
			_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.2f\t\n", x.Name, x.Parts, x.Done, x.Rows, float64(x.Bytes)/1e6)
		}
		_ = t.Flush()
	}
	for _, f := range s.Failed {
		fmt.Fprintf(&b, "failed: %s\n", f)
	}
	return b.String()
}
