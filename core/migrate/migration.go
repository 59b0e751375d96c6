package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// Options say what a verb works on and how.
type Options struct {
	From, To Deployment
	// State is the directory for what the tool keeps on this machine.
	State string
	// Limits are those at the start; Control names a file that changes them.
	Limits  Control
	Control string
	// DryRun says what would be done and writes nothing.
	DryRun bool
	// Out receives what was done, for people; Progress, which may be nil, lines
	// about what is going on.
	Out, Progress io.Writer
	Logger        *slog.Logger
	Metrics       *Metrics // may be nil

	// Fence tells init to fence the source.
	Fence bool
	// HostTimeout is how old a host's last heartbeat must be for it to count as
	// stopped; Settle how long shards must not change. Zero: 30 s and 5 s.
	HostTimeout, Settle time.Duration
	// Patience is how long a part may fail in ways that pass before it is given up;
	// default 2 minutes.
	Patience time.Duration
	// Replication is that of a keyspace that init makes.
	Replication schema.Replication

	// Level is how far verify goes; AcceptProblems counts problems that the source
	// has as well as none.
	Level          Level
	AcceptProblems bool
}

// Migration is a source and a target that are open. Its verbs are called one at a
// time.
type Migration struct {
	Options
	from, to *Side
	table    *table
	state    *stateDir // of verbs that write
	run      *Run      // nil if there is none
	count    tally
	progress *progress
}

// Open opens both sides. The source must be complete; the target need not exist.
func Open(ctx context.Context, o Options) (*Migration, error) {
	if o.HostTimeout <= 0 {
		o.HostTimeout = 30 * time.Second
	}
	if o.Settle <= 0 {
		o.Settle = 5 * time.Second
	}
	if o.Patience <= 0 {
		o.Patience = 2 * time.Minute
	}
	a, b := o.From.place(), o.To.place()
	switch {
	case a == b:
		return nil, fmt.Errorf("open both sides: %s and %s name one and the same %s", o.From.File, o.To.File, a)
	case o.From.Shards != o.To.Shards:
		return nil, fmt.Errorf("compare the configurations: persistence.numHistoryShards is %d in %s and %d in %s: it can never change, so set the target's to the source's",
			o.From.Shards, o.From.File, o.To.Shards, o.To.File)
	}
	for _, d := range []Deployment{o.From, o.To} {
		if _, local := d.Opener.(backend.InProcess); local && d.place().At == "" && !o.ephemeral() {
			return nil, fmt.Errorf("open %s: data in memory ends with this command: give it a dataDir", d.File)
		}
	}
	m := &Migration{Options: o}
	m.progress = &progress{m: m}
	from, err := openSide(ctx, "source", o.From, &o, o.Limits.Source)
	if err != nil {
		return nil, err
	}
	m.from = from
	if err := from.connect(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	to, err := openSide(ctx, "target", o.To, &o, o.Limits.Target)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	m.to, m.table = to, to.table()
	if m.run, err = m.table.load(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if m.run != nil {
		if err := m.fits(); err != nil {
			return nil, errors.Join(err, m.Close())
		}
		if err := to.connect(ctx); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// ephemeral tells whether data in memory is meant: a test holds it.
func (o *Options) ephemeral() bool { return o.From.Ephemeral || o.To.Ephemeral }

// fits refuses a target that holds the run of another migration.
func (m *Migration) fits() error {
	same := func(a, b Place) bool {
		return a.Backend == b.Backend && a.Dialect == b.Dialect && a.Keyspace == b.Keyspace
	}
	if from := m.From.place(); !same(from, m.run.From) || m.run.Shards != m.From.Shards {
		return fmt.Errorf("open the target (%s): it holds run %s, which moves %s with %d shards, not %s with %d: name the source that the run was begun with",
			m.To.File, m.run.ID, m.run.From, m.run.Shards, from, m.From.Shards)
	}
	return nil
}

// Close closes both sides.
func (m *Migration) Close() error {
	var all []error
	for _, s := range []*Side{m.to, m.from} {
		if s != nil {
			all = append(all, s.Close())
		}
	}
	return errors.Join(all...)
}

// Run is the state of the migration; nil if there is none.
func (m *Migration) Run() *Run { return m.run }

// exclusively runs a verb that writes: with the state directory locked and the
// lease of the run, and only if it is the verb's turn.
func (m *Migration) exclusively(ctx context.Context, verb string, do func(context.Context) error) (err error) {
	if err := m.run.order(verb, m.From.File, m.To.File); err != nil {
		return err
	}
	if m.DryRun {
		return do(ctx)
	}
	return m.locked(ctx, func(ctx context.Context) error {
		// Whoever held the lease before may have got on.
		var err error
		if m.run, err = m.table.load(ctx); err != nil {
			return err
		}
		if err := m.run.order(verb, m.From.File, m.To.File); err != nil {
			return err
		}
		if err := m.state.bind(m.run.ID); err != nil {
			return err
		}
		return do(ctx)
	})
}

// locked runs what writes while nobody else does. There must be a run table.
func (m *Migration) locked(ctx context.Context, do func(context.Context) error) (err error) {
	if m.state, err = openState(m.State); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.state.close()) }()
	l, held, err := m.table.take(ctx, m.state.id)
	if err != nil {
		return err
	}
	defer l.Release(ctx)
	watching, stop := context.WithCancel(held)
	defer stop()
	if m.Control != "" {
		go watchControl(watching, m.Control, m.from.flow, m.to.flow, func(s string) { m.progress.say(s) })
	}
	defer m.progress.end()
	if err := do(held); err != nil {
		if cause := context.Cause(held); cause != nil && ctx.Err() == nil {
			return cause // the lease was lost: the failure is a consequence
		}
		return err
	}
	return nil
}

// fence is the range under which the run holds the shards of a side. On Apache
// Cassandra it is negative, as no server's range ever is. Where writes have
// numbers, rows of ranges above the present one are not shown to readers, so it is
// above every range of a server there.
func (m *Migration) fence(s *Side) int64 {
	if s.raw.Traits().Sequenced {
		return records.DefaultFence + m.run.Number
	}
	return -records.DefaultFence - m.run.Number
}

func (m *Migration) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(m.Out, format+"\n", args...)
}

// save stores the run.
func (m *Migration) save(ctx context.Context) error { return m.table.save(ctx, m.run) }
