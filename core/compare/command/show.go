package command

import (
	"io"
	"os"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// progress shows one line that replaces the one before it, or, where nobody sees a
// line change, one line after the other.
type progress struct {
	w    io.Writer
	live bool
	wide int
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			p.live = info.Mode()&os.ModeCharDevice != 0 // a terminal
		}
	}
	return p
}

func (p *progress) show(line string) {
	if !p.live {
		say(p.w, "%s\n", line)
		return
	}
	say(p.w, "\r%s%s", line, strings.Repeat(" ", max(0, p.wide-len(line))))
	p.wide = len(line)
}

func (p *progress) end() {
	if p.live && p.wide > 0 {
		say(p.w, "\n")
	}
}

// summarize says what was found, for people.
func summarize(w io.Writer, r *result.Run) {
	for _, a := range r.Header.Arms {
		say(w, "%s: %s", strings.ToUpper(a.Name), a.Title)
		if a.Server != "" {
			say(w, " (%s)", a.Server)
		}
		say(w, "\n")
	}
	if !r.Complete {
		say(w, "This run is not complete: %s\n", r.Error)
	}
	for _, warning := range r.Warnings {
		say(w, "Warning: %s\n", warning)
	}
	scenario := ""
	for i := range r.Verdicts {
		v := &r.Verdicts[i]
		if v.Scenario != scenario {
			scenario = v.Scenario
			say(w, "\n%s\n", scenario)
		}
		say(w, "  %s (A %.4g, B %.4g %s)\n", v.Text, v.A, v.B, v.Unit)
	}
	same, different := 0, 0
	for _, a := range r.Agreements {
		if a.Equal {
			same++
		} else {
			different++
		}
	}
	say(w, "\nStates after a pair: %d times equal, %d times different.\n", same, different)
}
