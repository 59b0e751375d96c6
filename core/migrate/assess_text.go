package migrate

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Text is an assessment for people.
func (a *Assessment) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "From %s (%s), schema %s, %d shards\nTo   %s", a.From, a.SourceServer, a.SourceSchema, a.Shards, a.To)
	if a.TargetSchema != "" {
		fmt.Fprintf(&b, ", schema %s", a.TargetSchema)
	}
	b.WriteString("\n")
	if a.SourceSkew != nil {
		fmt.Fprintf(&b, "Clock of the source against this machine's: %+.1f ms\n", *a.SourceSkew)
	}
	if a.TargetSkew != nil {
		fmt.Fprintf(&b, "Clock of the target against this machine's: %+.1f ms\n", *a.TargetSkew)
	}
	if len(a.Hosts) > 0 {
		fmt.Fprintf(&b, "Alive on the source: %s. They must be stopped before init --fence.\n", strings.Join(a.Hosts, ", "))
	}
	if len(a.Families) > 0 {
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		row := func(name string, rows, bytes int64) {
			_, _ = fmt.Fprintf(t, "%s\t%d\t%.2f\t\n", name, rows, float64(bytes)/1e6) // into memory
		}
		_, _ = fmt.Fprintf(t, "\nfamily\trecords\tMB\t\n")
		for _, f := range a.Families {
			row(f.Name, f.Rows, f.Bytes)
		}
		row("all", a.Rows, a.Bytes)
		_, _ = fmt.Fprintf(t, "\nlargest partitions\trecords\tMB\t\n")
		for _, p := range a.Fat {
			row(p.Name, p.Rows, p.Bytes)
		}
		_, _ = fmt.Fprintf(t, "\nlargest shards, histories included\trecords\tMB\t\n")
		for _, p := range a.FatShards {
			row(p.Name, p.Rows, p.Bytes)
		}
		_ = t.Flush() // the same
		fmt.Fprintf(&b, "\n%d history trees belong to no workflow.\nReading took %.0f records/s. Estimates: copy %s, verify %s, and the servers are stopped for both.\n",
			a.Garbage, a.ReadRowsPerSecond, seconds(a.CopySeconds), seconds(a.VerifySeconds))
	}
	list := func(title string, all []string) {
		if len(all) > 0 {
			fmt.Fprintf(&b, "\n%s\n", title)
			for _, s := range all {
				fmt.Fprintf(&b, "  %s\n", s)
			}
		}
	}
	list("Not carried:", a.NotCarried)
	list("NOT KNOWN to this program, so nothing can be migrated:", a.Unknown)
	list("BEYOND THE TARGET'S LIMITS, so nothing can be migrated:", a.Beyond)
	list("WRONG, so nothing can be migrated:", a.Faults)
	return b.String()
}

// Admissible tells whether a migration may begin.
func (a *Assessment) Admissible() bool { return len(a.Unknown)+len(a.Beyond)+len(a.Faults) == 0 }

func seconds(s float64) time.Duration { return max(time.Second, time.Duration(s)*time.Second) }
