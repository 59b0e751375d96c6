package doctor

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Write writes a report for people.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Backend %s, dialect %s, keyspace %s\n\n", r.Backend, r.Dialect, r.Keyspace)
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%-8s %s: %s\n", c.Status, c.Name, c.Found)
		if c.Advice != "" && c.Status != Good {
			fmt.Fprintf(&b, "         -> %s\n", c.Advice)
		}
	}
	if len(r.Findings) > 0 {
		b.WriteString("\nWhat the servers can do\n")
		for _, f := range r.Findings {
			able := "no"
			if f.Able {
				able = "yes"
			}
			need := ""
			if f.Needed {
				need = ", needed"
			}
			recorded := ""
			if f.Recorded != "" {
				recorded = ", recorded: " + f.Recorded
			}
			fmt.Fprintf(&b, "  %s: %s%s%s\n", f.Name, able, need, recorded)
			for line := range strings.Lines(f.Statement) {
				fmt.Fprintf(&b, "      %s\n", strings.TrimRight(line, "\n"))
			}
			fmt.Fprintf(&b, "    expected: %s\n    answered: %s\n", f.Expect, f.Outcome)
		}
	}
	if len(r.Rounds) > 0 {
		b.WriteString("\nTimes, in milliseconds, one request after the other\n")
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		row := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) } // into memory
		row("  \tcount\tp50\tp90\tp99\tmax\t\n")
		for _, x := range r.Rounds {
			row("  %s (%s)\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t\n", x.Kind, x.For, x.Count, x.P50, x.P90, x.P99, x.Max)
		}
		_ = t.Flush() // the same
	}
	fmt.Fprintf(&b, "\nThis examination wrote %s. Nothing else was changed.\nResult: %s\n", r.Touched, r.Worst())
	_, err := io.WriteString(w, b.String())
	return err
}
