package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Copy copies the source to the target: the first time all of it, later what
// differs. It may be broken off anywhere and run again.
func (m *Migration) Copy(ctx context.Context) error {
	return m.exclusively(ctx, "copy", func(ctx context.Context) error {
		first := m.run.Phase == Initialized || m.run.Phase == Copying && m.run.Pass <= 1
		if m.DryRun {
			what := "what differs between source and target"
			if first {
				what = "all that the source holds and the target does not yet"
			}
			m.printf("copy would write %s to the target. Nothing was written.", what)
			return nil
		}
		if err := m.stillHeld(ctx); err != nil {
			return err
		}
		if err := m.admissible(ctx); err != nil {
			return err
		}
		begin := time.Now()
		if first {
			if m.run.Pass == 0 {
				m.run.Pass = 1
				if err := m.save(ctx); err != nil { // with the phase before: the work list follows
					return err
				}
			}
			if err := m.bulk(ctx); err != nil {
				return err
			}
			m.printf("Copied %d records, %.1f MB, in %s.", m.count.rows.Load(), float64(m.count.bytes.Load())/1e6, time.Since(begin).Round(time.Second))
		} else {
			m.run.Pass, m.run.Phase = m.run.Pass+1, Copying
			if err := m.save(ctx); err != nil {
				return err
			}
			m.progress.begin("copy")
			changed, removed, err := m.reconcile(ctx, m.from, m.to, false)
			if err != nil {
				return fmt.Errorf("%w: when that is mended, run copy again", err)
			}
			m.printf("Copied what differed: %d records written, %d removed, in %s.", changed, removed, time.Since(begin).Round(time.Second))
		}
		m.run.Phase, m.run.CopiedAt, m.run.Verdict = Copied, time.Now().UTC().Truncate(time.Second), nil
		if err := m.save(ctx); err != nil {
			return err
		}
		m.printf("Next: temporal-server migrate verify --from %s --to %s", m.From.File, m.To.File)
		return nil
	})
}

// Switch hands ownership to the target: the source stays fenced, the target's
// queues and shards are given to its servers.
func (m *Migration) Switch(ctx context.Context) error {
	return m.exclusively(ctx, "switch", func(ctx context.Context) error {
		if m.DryRun {
			m.printf("switch would open the target, %s, to its servers; the source stays fenced. Nothing was written.", m.run.To)
			return nil
		}
		if err := m.held(ctx, m.from); err != nil {
			return err
		}
		if m.run.Phase != Switched {
			if err := m.held(ctx, m.to); err != nil {
				return err
			}
			if err := m.stopped(ctx, m.to); err != nil {
				return err
			}
			// From here on it can only go on: a switch that is broken off is run again.
			m.run.Phase, m.run.SwitchedAt = Switched, time.Now().UTC().Truncate(time.Second)
			if err := m.save(ctx); err != nil {
				return err
			}
		}
		if err := m.give(ctx, m.to); err != nil {
			return fmt.Errorf("%w: run switch again", err)
		}
		m.printf("Switched: %s is open to its servers, %s stays fenced.", m.run.To, m.run.From)
		m.printf("Next: start the servers with %s. To go back: stop them and run temporal-server migrate rollback --from %s --to %s", m.To.File, m.From.File, m.To.File)
		return nil
	})
}

// Rollback gives the deployment back to the source. Before the switch that is to
// take the fence off. After it, what has changed in the target is copied back and
// verified first.
func (m *Migration) Rollback(ctx context.Context) error {
	return m.exclusively(ctx, "rollback", func(ctx context.Context) error {
		switched := !m.run.SwitchedAt.IsZero()
		if m.DryRun {
			if switched {
				m.printf("rollback would fence the target, copy back what differs from the source, verify it, and take the fence off the source. Nothing was written.")
			} else {
				m.printf("rollback would take the fence off the source, if it is fenced; the target stays held. Nothing was written.")
			}
			return nil
		}
		if switched {
			if err := m.back(ctx); err != nil {
				return err
			}
		} else if m.run.Phase != RollingBack {
			m.run.Phase = RollingBack
			if err := m.save(ctx); err != nil {
				return err
			}
		}
		if m.run.Fencing {
			if err := m.give(ctx, m.from); err != nil {
				return fmt.Errorf("%w: run rollback again", err)
			}
		}
		m.run.Phase, m.run.RolledBackAt = RolledBack, time.Now().UTC().Truncate(time.Second)
		if err := m.save(ctx); err != nil {
			return err
		}
		m.printf("Rolled back: %s is open to its servers, %s is held and may be dropped.", m.run.From, m.run.To)
		m.printf("Next: start the servers with %s.", m.From.File)
		return nil
	})
}

// back copies the target's changes to the source.
func (m *Migration) back(ctx context.Context) error {
	if m.run.Back == "" {
		if err := m.stopped(ctx, m.to); err != nil {
			return err
		}
	}
	if m.run.Phase != RollingBack {
		m.run.Phase = RollingBack
		if err := m.save(ctx); err != nil {
			return err
		}
	}
	step := func(name string, do func() error) error {
		if m.run.Back >= name {
			return nil
		}
		if err := do(); err != nil {
			return fmt.Errorf("%w: when that is mended, run rollback again", err)
		}
		m.run.Back = name
		return m.save(ctx)
	}
	// The names are in order.
	if err := step("1 fenced", func() error {
		if err := m.takeShards(ctx, m.to); err != nil {
			return err
		}
		if err := m.takeQueues(ctx, m.to); err != nil {
			return err
		}
		if err := m.stopped(ctx, m.to); err != nil {
			return err
		}
		return m.held(ctx, m.to)
	}); err != nil {
		return err
	}
	if err := step("2 copied", func() error {
		if err := m.held(ctx, m.from); err != nil {
			return err
		}
		m.progress.begin("rollback")
		changed, removed, err := m.reconcile(ctx, m.to, m.from, true)
		if err == nil {
			m.printf("Copied back what differed: %d records written, %d removed.", changed, removed)
		}
		return err
	}); err != nil {
		return err
	}
	return step("3 verified", func() error {
		m.Level = max(m.Level, LevelContent)
		r, err := m.verify(ctx, m.to, m.from, "")
		if err != nil {
			return err
		}
		if err := m.state.write("rollback-report.json", r); err != nil {
			return err
		}
		if r.Finds > 0 {
			m.printf("%s", r.Text())
			m.run.Back = "1 fenced" // what was copied back is copied again
			return errors.Join(fmt.Errorf("verify what was copied back: %d differences", r.Finds), m.save(ctx))
		}
		return nil
	})
}
