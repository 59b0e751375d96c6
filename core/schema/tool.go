package schema

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"go.temporal.io/server/common/log"
	stock "go.temporal.io/server/tools/common/schema"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// Tool changes and inspects one keyspace.
type Tool struct {
	// Admin is an open session; the tool does not close it.
	Admin cql.Admin
	// Set is the schema.
	Set Set
	// Keyspace is the keyspace's name.
	Keyspace string
	// Out receives what was done, line by line; never nil.
	Out io.Writer
	// DryRun prints statements to Out and changes nothing.
	DryRun bool
	// Alone says that nobody else can be at work on the keyspace: Update takes no
	// lock, and heeds none that an update left which was killed.
	Alone bool
	// Prepare, if not nil, is called at the end of an update, also of one that
	// had nothing to do: see [Preparing].
	Prepare func(ctx context.Context) error
}

// Replication says how a new keyspace's rows are copied.
type Replication struct {
	// Strategy is SimpleStrategy or NetworkTopologyStrategy; empty is the
	// second where Datacenters are given, else the first.
	Strategy string
	// Factor is the number of copies, in each data center that Datacenters
	// does not name; 0 is 1.
	Factor int
	// Datacenters are copies by data center.
	Datacenters map[string]int
}

var validKeyspace = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,47}$`)

// cql renders the clause of CREATE KEYSPACE.
func (r Replication) cql() (string, error) {
	strategy := r.Strategy
	if strategy == "" {
		strategy = "SimpleStrategy"
		if len(r.Datacenters) > 0 {
			strategy = "NetworkTopologyStrategy"
		}
	}
	factor := r.Factor
	if factor == 0 {
		factor = 1
	}
	if factor < 1 {
		return "", fmt.Errorf("replication factor %d: must be at least 1", factor)
	}
	parts := []string{"'class': '" + strategy + "'"}
	switch {
	case strategy != "SimpleStrategy" && strategy != "NetworkTopologyStrategy":
		return "", fmt.Errorf("replication strategy %q: must be SimpleStrategy or NetworkTopologyStrategy", strategy)
	case strategy == "SimpleStrategy" && len(r.Datacenters) > 0:
		return "", errors.New("SimpleStrategy knows no data centers: use NetworkTopologyStrategy")
	case len(r.Datacenters) == 0:
		parts = append(parts, fmt.Sprintf("'replication_factor': %d", factor))
	}
	for _, name := range sorted(r.Datacenters) {
		if r.Datacenters[name] < 1 {
			return "", fmt.Errorf("data center %q: must hold at least 1 copy", name)
		}
		parts = append(parts, fmt.Sprintf("'%s': %d", strings.ReplaceAll(name, "'", "''"), r.Datacenters[name]))
	}
	return " WITH replication = {" + strings.Join(parts, ", ") + "}", nil
}

// replication is the clause of CREATE KEYSPACE.
func (s Set) replication(r Replication) (string, error) {
	switch {
	case s.Replicated:
		return r.cql()
	case r.Strategy != "" || r.Factor != 0 || len(r.Datacenters) > 0:
		return "", fmt.Errorf("a keyspace of %s is replicated as its whole cluster is: ask for no strategy, factor or data center here, and configure the cluster", s.Database)
	default:
		return "", nil
	}
}

// Create makes the keyspace and the tables that keep its version. What is there
// already is kept as it is. It is meant for one operator at a time: before
// there is a table, there is nothing that could serve as a lock.
func (t *Tool) Create(ctx context.Context, r Replication) error {
	if !validKeyspace.MatchString(t.Keyspace) {
		return fmt.Errorf("keyspace %q: a name begins with a letter and holds at most 48 letters, digits and underscores", t.Keyspace)
	}
	clause, err := t.Set.replication(r)
	if err != nil {
		return err
	}
	found, err := exists(ctx, t.Admin, t.Keyspace)
	if err != nil {
		return err
	}
	d := t.database(ctx)
	if found {
		t.printf("-- keyspace %s exists already; its replication is not changed", t.Keyspace)
	} else if err := d.run(`CREATE KEYSPACE IF NOT EXISTS ` + quote(t.Keyspace) + clause); err != nil {
		return fmt.Errorf("create keyspace %q: %w", t.Keyspace, err)
	}
	if v, err := ReadVersion(ctx, t.Admin, t.Keyspace); err == nil {
		if err := t.Set.refuseForeign(ctx, t.Admin, t.Keyspace); err != nil {
			return err
		}
		t.printf("-- its schema is at version %s", v.Current)
		return nil
	} else if !errors.Is(err, ErrNoKeyspace) && !errors.Is(err, ErrNoSchema) {
		return err
	}
	task := stock.NewSetupSchemaTask(d, &stock.SetupConfig{InitialVersion: noVersion}, log.NewNoopLogger())
	if err := task.Run(); err != nil {
		return fmt.Errorf("make the version tables of keyspace %q: %w", t.Keyspace, err)
	}
	if !t.DryRun {
		t.printf("-- keyspace %s is ready for \"schema update\"", t.Keyspace)
	}
	return nil
}

// Update brings the keyspace to the version that this binary needs, and then
// prepares it. It may be run again, also after it was broken off, and by several
// at once: all but one wait, and then find nothing to do.
func (t *Tool) Update(ctx context.Context) error {
	if err := t.update(ctx); err != nil {
		return err
	}
	if t.Prepare == nil || t.DryRun {
		return nil
	}
	if err := t.Prepare(ctx); err != nil {
		return fmt.Errorf("find out what the servers of keyspace %q can do: %w", t.Keyspace, err)
	}
	return nil
}

func (t *Tool) update(ctx context.Context) error {
	v, err := ReadVersion(ctx, t.Admin, t.Keyspace)
	missing := errors.Is(err, ErrNoKeyspace) || errors.Is(err, ErrNoSchema)
	switch {
	case missing && !t.DryRun:
		return fmt.Errorf("%w: run \"schema create\" first", err)
	case err != nil && !missing:
		return err
	case err == nil && !older(v.Current, t.Set.Version):
		if v.Current != t.Set.Version {
			if err := t.Set.refuseForeign(ctx, t.Admin, t.Keyspace); err != nil {
				return err
			}
		}
		t.printf("-- keyspace %s is at version %s, this binary needs %s: nothing to do", t.Keyspace, v.Current, t.Set.Version)
		return nil
	case err == nil:
		if err := t.Set.refuseForeign(ctx, t.Admin, t.Keyspace); err != nil {
			return err
		}
	}
	if !t.DryRun && !t.Alone {
		l, held, err := acquire(ctx, t.Admin, t.Keyspace, func(owner string) {
			t.printf("-- another update is at work (%s), waiting", owner)
		})
		if err != nil {
			return err
		}
		defer l.Release(ctx)
		ctx = held
		// The one that was waited for may have done it.
		if v, err = ReadVersion(ctx, t.Admin, t.Keyspace); err != nil {
			return err
		}
		if !older(v.Current, t.Set.Version) {
			t.printf("-- keyspace %s is at version %s by now", t.Keyspace, v.Current)
			return nil
		}
	}
	config := &stock.UpdateConfig{DBName: t.Keyspace, TargetVersion: t.Set.Version, SchemaName: t.Set.stock}
	if t.Set.stock == "" {
		// Upstream's task reads its own embedded files or a directory.
		dir, err := os.MkdirTemp("", "schema-")
		if err != nil {
			return fmt.Errorf("write schema files for the update: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := os.CopyFS(dir, t.Set.files); err != nil {
			return fmt.Errorf("write schema files for the update: %w", err)
		}
		config.SchemaDir = dir + "/versioned"
	}
	d := t.database(ctx)
	if missing {
		d.start = noVersion
	}
	if err := stock.NewUpdateSchemaTask(d, config, log.NewNoopLogger()).Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("update keyspace %q: %w", t.Keyspace, err)
	}
	if t.DryRun {
		return nil
	}
	differences, err := t.Verify(ctx)
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return fmt.Errorf("keyspace %q is at version %s but differs from it in %d places, first: %v", t.Keyspace, t.Set.Version, len(differences), differences[0])
	}
	t.printf("-- keyspace %s is at version %s", t.Keyspace, t.Set.Version)
	return nil
}

// Verify compares the keyspace with what the schema implies: its version, and
// every table, column, type and index. No difference means that they are the
// same.
func (t *Tool) Verify(ctx context.Context) ([]Difference, error) {
	v, err := ReadVersion(ctx, t.Admin, t.Keyspace)
	switch {
	case errors.Is(err, ErrNoKeyspace):
		return []Difference{{What: "keyspace " + t.Keyspace, Should: "schema version " + t.Set.Version}}, nil
	case errors.Is(err, ErrNoSchema): // the tables will show it
	case err != nil:
		return nil, err
	}
	should, err := t.Set.Implied()
	if err != nil {
		return nil, err
	}
	is, err := t.Set.server.live(ctx, t.Admin, t.Keyspace)
	if err != nil {
		return nil, err
	}
	var out []Difference
	if other, ok := t.Set.foreign(is); ok {
		out = append(out, Difference{What: "keyspace " + t.Keyspace, Is: "made for " + other.String(), Should: "made for " + t.Set.String()})
	}
	if v.Current != t.Set.Version {
		out = append(out, Difference{What: "schema version", Is: v.Current, Should: t.Set.Version})
	}
	return append(out, Diff(is, should)...), nil
}

// Drop removes the keyspace and all that is in it.
func (t *Tool) Drop(ctx context.Context) error {
	found, err := exists(ctx, t.Admin, t.Keyspace)
	if err != nil {
		return err
	}
	if !found {
		t.printf("-- keyspace %s does not exist", t.Keyspace)
		return nil
	}
	d := t.database(ctx)
	if t.Set.server.emptied {
		if err := d.empty(); err != nil {
			return fmt.Errorf("empty keyspace %q: %w", t.Keyspace, err)
		}
	}
	if err := d.run(`DROP KEYSPACE IF EXISTS ` + quote(t.Keyspace)); err != nil {
		return fmt.Errorf("drop keyspace %q: %w", t.Keyspace, err)
	}
	return nil
}

func (t *Tool) database(ctx context.Context) *database {
	d := &database{ctx: ctx, admin: t.Admin, keyspace: t.Keyspace, set: t.Set, report: func(statement string) {
		t.printf("%s;", statement)
	}}
	if t.DryRun {
		d.dry = t.Out
	}
	return d
}

func (t *Tool) printf(format string, args ...any) { _, _ = fmt.Fprintf(t.Out, format+"\n", args...) }
