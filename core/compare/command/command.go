package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/cluster"
	"github.com/temporal-ycql/temporal-ycql/core/compare/report"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/compare/storelevel"
	"github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// Request is what the command line asks for.
type Request struct {
	A, B string // configuration files
	Plan string // file; "": the defaults
	Out  string // directory; "": a new one in the working directory
	// Quick compares the embedded engine with stock SQLite where no arms are given,
	// and takes a short plan where none is.
	Quick bool
	Keep  bool
	Same  bool // A against A
	// Check is a baseline; MaxRegression the share by which a figure may be worse.
	Check         string
	MaxRegression float64

	// Registry collects the backends of this program, anew at each call.
	Registry func() (*backend.Registry, error)
	// Stdout gets what was found, Stderr the progress.
	Stdout, Stderr io.Writer
}

// ErrWorse is the error of a comparison that ran and did not pass: --check found
// regressions, or the arms were left in different states.
var ErrWorse = errors.New("the comparison did not pass")

// Run runs what was asked for.
func Run(ctx context.Context, q Request) error {
	plan, err := q.plan()
	if err != nil {
		return err
	}
	var baseline *result.Run
	if q.Check != "" { // before anything is measured for it
		if baseline, err = result.Read(q.Check); err != nil {
			return err
		}
	}
	if err := q.complete(); err != nil {
		return err
	}
	a, err := q.load(plan, result.A, q.A)
	if err != nil {
		return err
	}
	b, err := q.load(plan, result.B, q.B)
	if err != nil {
		return err
	}
	level, shards, err := q.level(plan, a)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(plan)
	if err != nil {
		return fmt.Errorf("write the plan into the run: %w", err)
	}
	header := result.Header{Command: q.command(), Program: compare.Program(""), Plan: raw, Shards: shards}
	if plan.Prices.Any() {
		header.Prices = &plan.Prices
	}
	progress := newProgress(q.Stderr)
	run, err := compare.Run(ctx, compare.Options{
		Level: level, A: a, B: b, Pairs: plan.Pairs, Seed: plan.Seed, Same: q.Same, Dir: q.Out, Keep: q.Keep,
		Contamination: plan.Contamination, Margin: 1 + plan.Margin, Progress: progress.show,
		Header: header,
	})
	progress.end()
	page := filepath.Join(q.Out, "report.html")
	if len(run.Blocks) > 0 {
		err = errors.Join(err, report.WriteFile(page, run))
		summarize(q.Stdout, run)
		say(q.Stdout, "\nThe run: %s\nThe page: %s\n", compare.Path(q.Out), page)
	}
	if err != nil {
		if ctx.Err() != nil && len(run.Blocks) > 0 {
			return fmt.Errorf("interrupted; the same command with --out %s goes on where it was", q.Out)
		}
		return err
	}
	return q.judge(run, baseline)
}

// judge compares with the baseline and looks at the states.
func (q *Request) judge(run, baseline *result.Run) error {
	lines := compare.Different(run)
	if baseline != nil {
		lines = append(compare.Regressions(run, baseline, q.MaxRegression), lines...)
	}
	if len(lines) == 0 {
		if baseline != nil {
			say(q.Stdout, "No regression against %s.\n", q.Check)
		}
		return nil
	}
	return fmt.Errorf("%w:\n%s", ErrWorse, strings.Join(lines, "\n"))
}

func (q *Request) plan() (Plan, error) {
	switch {
	case q.Plan != "":
		return readPlan(q.Plan)
	case q.Quick:
		return quickPlan(), nil
	default:
		return DefaultPlan(), nil
	}
}

// complete makes the directory and, for a quick run, the arms.
func (q *Request) complete() error {
	if q.Same && q.B != "" {
		return errors.New("--aa compares A with itself: leave out --b")
	}
	if q.Out == "" {
		q.Out = "compare-" + time.Now().Format("20060102-150405")
	}
	if err := os.MkdirAll(filepath.Join(q.Out, "scratch"), 0o750); err != nil {
		return fmt.Errorf("make the directory of the run: %w", err)
	}
	if q.Quick && q.A == "" && q.B == "" {
		a, b, err := writeQuick(q.Out)
		if err != nil {
			return fmt.Errorf("write the configurations of a quick run: %w", err)
		}
		q.A, q.B = a, b
	} else if q.A == "" || q.B == "" && !q.Same {
		return errors.New("give both configurations, --a A.yaml and --b B.yaml; or --aa; or --quick, which brings its own")
	}
	if q.Same {
		q.B = q.A
	}
	return nil
}

func (q *Request) load(plan Plan, name, file string) (*arm.Arm, error) {
	scratch, err := filepath.Abs(filepath.Join(q.Out, "scratch"))
	if err != nil {
		return nil, err
	}
	o := arm.Options{
		Name: name, Source: config.Source{File: file}, Registry: q.Registry, Scratch: scratch,
	}
	if n := plan.ReplicationFactor; n > 1 { // 1 is not asked for: a keyspace of YugabyteDB takes no wish
		o.Replication = schema.Replication{Factor: n}
	}
	if q.Same && name == result.B {
		o.Addition = "again"
	}
	return arm.Load(o)
}

func (q *Request) level(plan Plan, a *arm.Arm) (compare.Level, int, error) {
	if plan.Level == storeLevel {
		l, err := storelevel.New(plan.Store)
		return l, plan.Store.Shards, err
	}
	scratch := filepath.Join(q.Out, "scratch")
	l, err := cluster.New(cluster.Options{Plan: plan.Cluster, Registry: q.Registry, Scratch: scratch})
	return l, int(a.Config().Persistence.NumHistoryShards), err
}

// command is the command line again, as it was completed.
func (q *Request) command() []string {
	c := []string{"temporal-server", "compare"}
	add := func(given bool, args ...string) {
		if given {
			c = append(c, args...)
		}
	}
	add(q.Quick, "--quick")
	add(!q.Quick || q.Plan != "", "--a", q.A)
	add(!q.Quick && !q.Same, "--b", q.B)
	add(q.Same, "--aa")
	add(q.Plan != "", "--plan", q.Plan)
	add(q.Keep, "--keep")
	add(q.Check != "", "--check", q.Check, "--max-regression", strconv.FormatFloat(100*q.MaxRegression, 'g', -1, 64)+"%")
	return c
}

// Share reads "10%" or "0.1".
func Share(s string) (float64, error) {
	text, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 10) { // NaN is neither
		return 0, fmt.Errorf("%q is no share: write 10%% or 0.1", s)
	}
	return f, nil
}

func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
