package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// Init makes the target and the run table, and fences the source if told to. What
// the target could not hold, and what this program does not know, ends it before
// anything is written. It may be run again: to fence, or to finish what was broken
// off.
func (m *Migration) Init(ctx context.Context) error {
	if m.run != nil && m.run.Phase != Initialized && m.run.Phase != Copying && m.run.Phase != Copied {
		return m.run.order("init", m.From.File, m.To.File)
	}
	if err := m.admissible(ctx); err != nil {
		return err
	}
	if m.Fence {
		if err := m.stopped(ctx, m.from); err != nil {
			return err
		}
	} else if err := m.warnHosts(ctx); err != nil {
		return err
	}
	if m.DryRun {
		m.dryInit()
		return nil
	}
	if err := m.makeTarget(ctx); err != nil {
		return err
	}
	return m.locked(ctx, func(ctx context.Context) error {
		run, err := m.table.load(ctx)
		if err != nil {
			return err
		}
		if m.run = run; m.run == nil {
			if err := m.empty(ctx); err != nil {
				return err
			}
			m.run = newRun(m.From.place(), m.To.place(), m.From.Shards, time.Now())
			if err := m.save(ctx); err != nil {
				return err
			}
		}
		if err := m.state.bind(m.run.ID); err != nil {
			return err
		}
		if err := m.hold(ctx, m.to); err != nil {
			return err
		}
		m.printf("The target is ready: %s. It is held, so no server can start on it before switch.", m.run.To)
		if !m.Fence {
			m.printf("The source is not fenced: what its servers do from now on is carried over by copying again.")
			m.printf("Next: temporal-server migrate copy --from %s --to %s", m.From.File, m.To.File)
			return nil
		}
		return m.fenceSource(ctx)
	})
}

// fenceSource fences the source and proves that nobody is at work on it.
func (m *Migration) fenceSource(ctx context.Context) error {
	if !m.run.Fencing {
		m.run.Fencing = true
		if err := m.save(ctx); err != nil {
			return err
		}
	}
	if err := m.takeShards(ctx, m.from); err != nil {
		return err
	}
	if err := m.takeQueues(ctx, m.from); err != nil {
		return err
	}
	if err := m.stopped(ctx, m.from); err != nil {
		return fmt.Errorf("%w (the source is fenced; \"migrate rollback\" takes the fence off)", err)
	}
	if err := m.held(ctx, m.from); err != nil {
		return err
	}
	if m.run.FencedAt.IsZero() {
		m.run.FencedAt, m.run.FencedPass = time.Now().UTC().Truncate(time.Second), m.run.Pass+1
		if err := m.save(ctx); err != nil {
			return err
		}
	}
	m.printf("The source is fenced: %s. No server can start on it until rollback.", m.run.From)
	m.printf("Next: temporal-server migrate copy --from %s --to %s", m.From.File, m.To.File)
	return nil
}

func (m *Migration) warnHosts(ctx context.Context) error {
	if _, local := m.from.Opener.(backend.InProcess); local {
		return nil
	}
	found, err := m.from.hosts(ctx, m.HostTimeout)
	if err == nil && len(found) > 0 {
		m.printf("%d roles of servers on the source were alive within %s. This may be a rehearsal; before the last copy stop them and run init --fence.", len(found), m.HostTimeout)
	}
	return err
}

func (m *Migration) dryInit() {
	m.printf("init would make or update %s, and the run table %s in it, and hold its %d shards.", m.To.place(), Table, m.To.Shards)
	if m.Fence {
		m.printf("It would fence the %d shards of %s; its servers are stopped.", m.From.Shards, m.From.place())
	}
	m.printf("Nothing was written.")
}

// makeTarget makes keyspace, schema and run table.
func (m *Migration) makeTarget(ctx context.Context) error {
	set, err := m.to.schema()
	if err != nil {
		return err
	}
	_, local := m.to.Opener.(backend.InProcess)
	tool := &schema.Tool{
		Admin: m.to.admin, Set: set, Keyspace: m.to.Opener.Keyspace(), Out: io.Discard, Alone: local,
		Prepare: schema.Preparing(m.to.Opener, m.to.env, io.Discard),
	}
	_, err = schema.ReadVersion(ctx, m.to.admin, m.to.Opener.Keyspace())
	missing := errors.Is(err, schema.ErrNoKeyspace) || errors.Is(err, schema.ErrNoSchema)
	if err != nil && !missing {
		return fmt.Errorf("make the target (%s): %w", m.To.File, err)
	}
	if missing {
		if err := tool.Create(ctx, m.Replication); err != nil {
			return fmt.Errorf("make the target (%s): %w", m.To.File, err)
		}
	}
	if err := tool.Update(ctx); err != nil {
		return fmt.Errorf("make the target (%s): %w", m.To.File, err)
	}
	if err := m.to.connect(ctx); err != nil {
		return err
	}
	return m.table.create(ctx)
}

// foundError ends a search.
type foundError struct{ key string }

func (e *foundError) Error() string { return "found " + e.key }

// empty refuses a target that holds anything but held shards.
func (m *Migration) empty(ctx context.Context) error {
	src, err := m.to.source(records.Options{})
	if err != nil {
		return err
	}
	parts := src.Parts(1)
	err = each(ctx, len(parts), func(ctx context.Context, i int) error {
		return src.All(ctx, parts[i], func(r *records.Record) error { return &foundError{r.KeyString()} })
	})
	var found *foundError
	if errors.As(err, &found) {
		return fmt.Errorf("begin a migration: the target, %s, is not empty (it holds %s): name a keyspace that is new, or drop this one (\"schema drop\", or remove its dataDir)",
			m.To.place(), found.key)
	}
	if err != nil {
		return fmt.Errorf("look whether the target is empty: %w", err)
	}
	return nil
}
