package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/machine"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// Options say how to run a comparison.
type Options struct {
	Level Level
	A, B  *arm.Arm
	// Header is copied into the run: command, program, plan, shards. The rest of it
	// is filled in.
	Header result.Header
	// Pairs of blocks for each scenario.
	Pairs int
	Seed  uint64
	// Same tells that B is A once more (A/A).
	Same bool
	// Dir keeps the run, for reading and for resuming.
	Dir string
	// Keep leaves the databases.
	Keep bool
	// Contamination says which blocks say nothing.
	Contamination Contamination
	// Margin within which arms count as the same, e.g. 1.05.
	Margin float64
	// Progress receives one line at a time, without a newline; never nil.
	Progress func(line string)

	// The clock of the processors; machine.Read unless a test says otherwise.
	read func(pids ...int) (machine.Reading, error)
}

// Contamination are the limits beyond which a block is repeated.
type Contamination struct {
	// Others is the share of the machine that other processes may take, 0 to 1.
	Others float64 `koanf:"others" json:"others"`
	// Lag is how late the generator may be at the 99.9th percentile.
	Lag time.Duration `koanf:"lag" json:"lag"`
	// Repeats is how often a block is repeated; the last one counts, marked.
	Repeats int `koanf:"repeats" json:"repeats"`
}

// fileName is the run in its directory.
const fileName = "run.json"

// Path is where a run is kept in a directory.
func Path(dir string) string { return filepath.Join(dir, fileName) }

// lastResort bounds cleaning up after an interruption.
const lastResort = time.Minute

// Run runs a comparison, or what is left of it: a run of the same seed, level, plan
// and arms that lies in Dir goes on behind its last complete pair. It returns what
// it has also beside an error, and has written it to Dir by then.
func Run(ctx context.Context, o Options) (*result.Run, error) {
	if o.read == nil {
		o.read = machine.Read
	}
	r := &runner{o: o, started: time.Now()}
	err := r.run(ctx)
	r.result.Header.Ended = time.Now().UTC()
	r.result.Complete = err == nil
	r.result.Error = ""
	if err != nil {
		r.result.Error = err.Error()
	}
	r.judge()
	if r.begun {
		err = errors.Join(err, r.write())
	}
	return r.result, err
}

type runner struct {
	o       Options
	result  *result.Run
	started time.Time
	begun   bool // there is something to be written
	done    int  // pairs of this process
}

func (r *runner) run(ctx context.Context) error {
	r.result = &result.Run{Version: result.Version, Header: r.o.Header}
	h := &r.result.Header
	h.Started, h.Level, h.Seed, h.Same, h.Pairs = r.started.UTC(), r.o.Level.Name(), r.o.Seed, r.o.Same, r.o.Pairs
	h.Machine = machine.Describe()
	h.Arms = []result.Arm{r.o.A.Describe(), r.o.B.Describe()}
	h.Differences = Differences(r.o.A.Loaded(), r.o.B.Loaded())
	if h.Differences == nil {
		h.Differences = []result.Difference{}
	}
	if err := r.resume(); err != nil {
		return err
	}
	r.begun = true
	for i, a := range []*arm.Arm{r.o.A, r.o.B} {
		found, err := r.prepare(ctx, a)
		if err != nil {
			return err
		}
		r.result.Header.Arms[i] = found
	}
	for pair := range r.o.Pairs {
		for _, scenario := range r.o.Level.Scenarios() {
			if r.has(scenario, pair) {
				continue
			}
			if err := r.pair(ctx, scenario, pair); err != nil {
				return err
			}
			r.done++
			r.judge()
			if err := r.write(); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare looks at an arm, with a database that is gone afterwards.
func (r *runner) prepare(ctx context.Context, a *arm.Arm) (result.Arm, error) {
	r.o.Progress(fmt.Sprintf("looking at arm %s (%s)", a.Name(), a.Describe().Title))
	name, err := r.name(a, "look", 0, 0)
	if err != nil {
		return a.Describe(), err
	}
	return r.o.Level.Prepare(ctx, a, name)
}

// resume takes over a run that lies in the directory, and clears what it left.
func (r *runner) resume() error {
	path := Path(r.o.Dir)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	before, err := result.Read(path)
	if err != nil {
		return err
	}
	if why := r.differs(before); why != "" {
		return fmt.Errorf("%s holds a comparison with another %s: give another directory with --out", r.o.Dir, why)
	}
	if err := r.clear(); err != nil {
		return err
	}
	r.result.Header.Started = before.Header.Started
	// A pair counts if both of its blocks are there; half ones run again.
	complete := map[[2]any]bool{}
	for _, s := range before.Scenarios() {
		for _, p := range before.Pairs(s) {
			complete[[2]any{s, p.A.Pair}] = true
		}
	}
	for _, b := range before.Blocks {
		if complete[[2]any{b.Scenario, b.Pair}] {
			r.result.Blocks = append(r.result.Blocks, b)
		}
	}
	for _, a := range before.Agreements {
		if complete[[2]any{a.Scenario, a.Pair}] {
			r.result.Agreements = append(r.result.Agreements, a)
		}
	}
	r.result.Warnings = before.Warnings
	if len(r.result.Blocks) > 0 {
		r.o.Progress(fmt.Sprintf("going on behind %d pairs of %s", len(complete), path))
	}
	return nil
}

// differs names what keeps a run from being gone on with.
func (r *runner) differs(before *result.Run) string {
	h, b := r.result.Header, before.Header
	canonical := func(m json.RawMessage) string {
		var v any
		if json.Unmarshal(m, &v) != nil {
			return string(m)
		}
		out, _ := json.Marshal(v) // what was decoded can be encoded
		return string(out)
	}
	switch {
	case h.Level != b.Level:
		return "level"
	case h.Seed != b.Seed:
		return "seed"
	case h.Same != b.Same:
		return "second arm"
	case canonical(h.Plan) != canonical(b.Plan):
		return "plan"
	case h.Program.Revision != b.Program.Revision:
		return "revision of this program"
	case len(b.Arms) != len(h.Arms):
		return "number of arms"
	}
	for i := range h.Arms {
		if h.Arms[i].Configuration != b.Arms[i].Configuration {
			return "configuration of arm " + h.Arms[i].Name
		}
	}
	return ""
}

// has tells whether a pair is complete already.
func (r *runner) has(scenario string, pair int) bool {
	for _, p := range r.result.Pairs(scenario) {
		if p.A.Pair == pair {
			return true
		}
	}
	return false
}

// pair runs a block of each arm and has their states compared.
func (r *runner) pair(ctx context.Context, scenario string, pair int) (err error) {
	order := []*arm.Arm{r.o.A, r.o.B}
	if pair%2 == 1 {
		order[0], order[1] = order[1], order[0]
	}
	seed := rand.New(rand.NewPCG(r.o.Seed, uint64(pair))).Uint64() //nolint:gosec // both arms must get the same
	specs := map[string]Spec{}
	defer func() {
		for _, s := range specs {
			err = errors.Join(err, r.drop(ctx, s))
		}
	}()
	for _, a := range order {
		spec, err := r.block(ctx, a, scenario, pair, seed)
		if spec.Database != "" {
			specs[a.Name()] = spec
		}
		if err != nil {
			return err
		}
	}
	r.o.Progress(r.line(scenario, pair, "", "comparing the states"))
	agreement, err := r.o.Level.Agree(ctx, specs[result.A], specs[result.B])
	if err != nil {
		return fmt.Errorf("%s, pair %d: %w", scenario, pair, err)
	}
	if agreement != nil {
		agreement.Scenario, agreement.Pair = scenario, pair
		r.result.Agreements = append(r.result.Agreements, *agreement)
	}
	return nil
}

// block runs one block until it is not contaminated, or the repetitions are used
// up. It returns the spec whose database is still there.
func (r *runner) block(ctx context.Context, a *arm.Arm, scenario string, pair int, seed uint64) (Spec, error) {
	var repeats *int
	for attempt := 0; ; attempt++ {
		name, err := r.name(a, scenario, pair, attempt)
		if err != nil {
			return Spec{}, err
		}
		spec := Spec{
			Arm: a, Scenario: scenario, Pair: pair, Attempt: attempt, Seed: seed, Database: name,
			Progress: func(text string) { r.o.Progress(r.line(scenario, pair, a.Name(), text)) },
		}
		watch := r.watch()
		b, err := r.o.Level.Block(ctx, spec)
		samples := watch()
		if b != nil {
			b.Index, b.Pair, b.Arm, b.Scenario, b.Seed, b.Repeats = len(r.result.Blocks), pair, a.Name(), scenario, seed, repeats
			r.contaminated(b, samples)
			if p := r.o.Header.Prices; p != nil {
				d := a.Describe()
				p.Price(b, d.Inside, d.InMemory)
			}
			r.result.Blocks = append(r.result.Blocks, b)
		}
		if err != nil {
			return spec, err
		}
		if len(b.Contaminated) == 0 {
			return spec, nil
		}
		if attempt >= r.o.Contamination.Repeats {
			r.warn("block %d (%s, pair %d, arm %s) is contaminated, and was repeated %d times: %s", b.Index, scenario, pair, a.Name(), attempt, b.Contaminated[0])
			return spec, nil
		}
		r.o.Progress(r.line(scenario, pair, a.Name(), "contaminated, again: "+b.Contaminated[0]))
		index := b.Index
		repeats = &index
		if err := r.drop(ctx, spec); err != nil {
			return Spec{}, err
		}
	}
}

func (r *runner) drop(ctx context.Context, spec Spec) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastResort)
	defer cancel()
	return r.o.Level.Drop(ctx, spec, r.o.Keep)
}

func (r *runner) warn(format string, args ...any) {
	r.result.Warnings = append(r.result.Warnings, fmt.Sprintf(format, args...))
}

// contaminated notes why a block says nothing.
func (r *runner) contaminated(b *result.Block, samples []machine.Reading) {
	c := r.o.Contamination
	if b.Lag != nil && c.Lag > 0 {
		if lag := b.Lag.Quantile(0.999); lag > c.Lag {
			b.Contaminated = append(b.Contaminated,
				fmt.Sprintf("the generator lagged: %s at the 99.9th percentile, at most %s counts as in time", lag, c.Lag))
		}
	}
	if others, ok := othersWithin(samples, b.From, b.To); ok {
		b.Others = &others
		if others > c.Others {
			b.Contaminated = append(b.Contaminated,
				fmt.Sprintf("other processes took %.0f %% of the machine, at most %.0f %% are allowed", 100*others, 100*c.Others))
		}
	}
}

// othersWithin is the share of others between the first and the last reading of a
// span of time; false where there are no two of them.
func othersWithin(samples []machine.Reading, from, to time.Time) (float64, bool) {
	var first, last *machine.Reading
	for i := range samples {
		s := &samples[i]
		if s.At.Before(from) || s.At.After(to) {
			continue
		}
		if first == nil {
			first = s
		}
		last = s
	}
	if first == nil || first == last {
		return 0, false
	}
	return last.Others(*first), true
}

// sampling is how often the clock of the processors is read.
const sampling = 500 * time.Millisecond

// watch reads the clock of the processors until the returned function is called.
func (r *runner) watch() func() []machine.Reading {
	stop := make(chan struct{})
	var samples []machine.Reading
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(sampling)
		defer ticker.Stop()
		for {
			reading, err := r.o.read(r.o.Level.Processes()...)
			if err != nil {
				return // this system does not tell: blocks have no Others
			}
			samples = append(samples, reading)
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
		}
	})
	return func() []machine.Reading {
		close(stop)
		wg.Wait()
		return samples
	}
}

// line is one line of progress, with the time that is left.
func (r *runner) line(scenario string, pair int, armName, text string) string {
	total := r.o.Pairs * len(r.o.Level.Scenarios())
	left := "time left unknown"
	if r.done > 0 {
		each := time.Since(r.started) / time.Duration(r.done)
		remaining := total - r.finished()
		left = fmt.Sprintf("about %s left", (each * time.Duration(max(0, remaining))).Round(time.Second))
	}
	where := fmt.Sprintf("pair %d of %d, %s", pair+1, r.o.Pairs, scenario)
	if armName != "" {
		where += ", arm " + armName
	}
	return fmt.Sprintf("%s: %s (%s)", where, text, left)
}

// finished is the number of pairs that are complete.
func (r *runner) finished() int {
	n := 0
	for _, s := range r.o.Level.Scenarios() {
		n += len(r.result.Pairs(s))
	}
	return n
}

func (r *runner) judge() {
	r.result.Verdicts = Judge(r.result, r.o.Margin)
	if r.result.Verdicts == nil {
		r.result.Verdicts = []result.Verdict{}
	}
}

func (r *runner) write() error {
	if r.result.Blocks == nil {
		r.result.Blocks = []*result.Block{}
	}
	return r.result.Write(Path(r.o.Dir))
}
