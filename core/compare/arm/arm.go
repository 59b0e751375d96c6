// Package arm makes the databases of a comparison. An [Arm] is one side: a server's
// configuration, whose default store is a backend of ours or stock Temporal's. For
// each block [Arm.Create] makes a database of the run's own beside whatever the
// configuration names (a keyspace, a schema, a file or a directory, or data in
// memory), and [Database.Drop] removes it. What the configuration itself names is
// never opened, and what exists already is never touched.
package arm

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"go.temporal.io/server/common/config"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	ours "github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// Options say how an arm is made.
type Options struct {
	// Name is [result.A] or [result.B].
	Name string
	// Source is the server's configuration.
	Source ours.Source
	// Registry collects the backends. It is called for each database: databases in
	// memory of one registry would be one.
	Registry func() (*backend.Registry, error)
	// Scratch is a directory for databases that are files. It exists.
	Scratch string
	// Replication is that of keyspaces that are made.
	Replication schema.Replication
	// Addition is laid over the title, e.g. "again" where both arms are one.
	Addition string
}

// Arm is one side of a comparison. It is safe for concurrent use.
type Arm struct {
	options Options
	loaded  *ours.Loaded
	kind    kind
	// base are the settings that lead to a name, with %s for it.
	base []string
}

// kind is what an arm's default store is.
type kind uint8

const (
	remote    kind = iota + 1 // a backend of ours on a server
	inProcess                 // a backend of ours in this process
	cassandra                 // stock Cassandra
	sqlite                    // stock SQLite
	sqlServer                 // stock PostgreSQL or MySQL
)

// Load reads an arm's configuration. Errors are as those of the server's start.
func Load(o Options) (*Arm, error) {
	a := &Arm{options: o}
	registry, err := o.Registry()
	if err != nil {
		return nil, err
	}
	if a.loaded, err = ours.Load(o.Source, registry); err != nil {
		return nil, fmt.Errorf("configuration of arm %s: %w", o.Name, err)
	}
	store := a.store()
	switch {
	case a.loaded.Chosen != nil:
		a.kind = remote
		if _, ok := a.loaded.Chosen.Opener.(backend.InProcess); ok {
			a.kind = inProcess
		}
	case store.Cassandra != nil:
		a.kind = cassandra
	case store.SQL != nil && strings.HasPrefix(store.SQL.PluginName, "sqlite"):
		a.kind = sqlite
	case store.SQL != nil:
		a.kind = sqlServer
	default:
		return nil, fmt.Errorf("configuration of arm %s: the default store %q is none that can be compared: use cassandra, sql or a backend of ours",
			o.Name, a.loaded.Config.Persistence.DefaultStore)
	}
	if err := a.findSettings(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Arm) store() config.DataStore {
	return a.loaded.Config.Persistence.DataStores[a.loaded.Config.Persistence.DefaultStore]
}

// Name is "a" or "b".
func (a *Arm) Name() string { return a.options.Name }

// Source is the configuration that the arm was loaded from.
func (a *Arm) Source() ours.Source { return a.options.Source }

// Config is the server's configuration. It is not to be changed.
func (a *Arm) Config() *config.Config { return a.loaded.Config }

// Loaded is the configuration as it was read.
func (a *Arm) Loaded() *ours.Loaded { return a.loaded }

// Stock tells upstream's own stores from ours.
func (a *Arm) Stock() bool { return a.loaded.Chosen == nil }

// Digests tells whether the records of the arm's databases can be read: they are
// for CQL, whoever wrote them.
func (a *Arm) Digests() bool { return a.kind != sqlite && a.kind != sqlServer }

// memory tells that data lives in this process alone, and no longer than it is open.
func (a *Arm) memory() bool {
	switch a.kind {
	case inProcess:
		return a.option("ephemeral") == "true"
	case sqlite:
		return a.store().SQL.ConnectAttributes["mode"] == "memory"
	default:
	}
	return false
}

// Describe says what is known of the arm without asking its database.
func (a *Arm) Describe() result.Arm {
	d := result.Arm{Name: a.options.Name, Stock: a.Stock(), Digests: a.Digests(), Inside: a.Inside(), InMemory: a.memory(), Configuration: a.loaded.String()}
	switch a.kind {
	case remote, inProcess:
		d.Backend, d.Dialect = a.loaded.Chosen.Name, a.loaded.Chosen.Opener.Dialect().Name()
		d.Title = d.Backend
		if d.Dialect != d.Backend {
			d.Title += " " + d.Dialect
		}
	case cassandra:
		d.Backend, d.Dialect, d.Title = "cassandra", "cassandra", "stock Cassandra"
	case sqlite, sqlServer:
		d.Backend = a.store().SQL.PluginName
		d.Title = "stock " + d.Backend
	}
	switch {
	case a.memory():
		d.Title, d.Durable = d.Title+", in memory", "no: data is in memory"
	case a.kind == sqlite:
		d.Title += ", file"
		d.Durable = "journal_mode " + or(a.store().SQL.ConnectAttributes["journal_mode"], "delete (SQLite's default)") +
			", synchronous " + or(a.store().SQL.ConnectAttributes["synchronous"], "full (SQLite's default)")
	case a.kind == inProcess:
		d.Title, d.Durable = d.Title+", durable", "a write is synced to disk before it is answered"
	default:
		d.Durable = "as the server is configured"
	}
	if a.kind == remote || a.kind == cassandra {
		d.Consistency = a.consistency()
		d.Replication = "1"
		if set, err := schema.For(d.Dialect); err == nil && !set.Replicated {
			d.Replication = "as its whole cluster"
		}
		if n := a.options.Replication.Factor; n > 1 {
			d.Replication = fmt.Sprint(n)
		}
		for _, dc := range sortedKeys(a.options.Replication.Datacenters) {
			d.Replication += fmt.Sprintf(", %s %d", dc, a.options.Replication.Datacenters[dc])
		}
	}
	if a.options.Addition != "" {
		d.Title += ", " + a.options.Addition
	}
	return d
}

func (a *Arm) consistency() string {
	if a.kind == cassandra {
		c := a.store().Cassandra.Consistency
		if c == nil || c.Default == nil {
			return "local_quorum, serial local_serial (Temporal's default)"
		}
		return or(c.Default.Consistency, "local_quorum") + ", serial " + or(c.Default.SerialConsistency, "local_serial")
	}
	return strings.ToLower(a.option("consistency.default.consistency") + ", serial " + a.option("consistency.default.serialConsistency"))
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Settings lead a server with this arm's configuration to the database of a name:
// each is a value for --set.
func (a *Arm) Settings(name string) []string {
	settings := make([]string, len(a.base))
	for i, s := range a.base {
		settings[i] = strings.ReplaceAll(s, "%s", name)
	}
	return settings
}

// findSettings finds the paths at which the configuration names its database.
func (a *Arm) findSettings() error {
	persistence := a.loaded.Config.Persistence
	at := func(store, rest string) string {
		return "persistence.datastores." + strings.ReplaceAll(store, ".", `\.`) + "." + rest
	}
	store := persistence.DefaultStore
	switch a.kind {
	case cassandra:
		a.base = append(a.base, at(store, "cassandra.keyspace=%s"))
	case sqlite, sqlServer:
		a.base = append(a.base, a.sqlSettings(at(store, "sql."), a.store().SQL, "")...)
	case remote, inProcess:
		if err := a.ownSettings(at(store, "customDatastore.options.")); err != nil {
			return err
		}
	}
	if v := persistence.VisibilityStore; v != "" && v != store {
		if s := persistence.DataStores[v]; s.SQL != nil {
			a.base = append(a.base, a.sqlSettings(at(v, "sql."), s.SQL, "_visibility")...)
		}
	}
	return nil
}

func (a *Arm) sqlSettings(at string, cfg *config.SQL, suffix string) []string {
	if !strings.HasPrefix(cfg.PluginName, "sqlite") {
		return []string{at + "databaseName=%s" + suffix}
	}
	if cfg.ConnectAttributes["mode"] == "memory" {
		return []string{at + "databaseName=%s" + suffix}
	}
	return []string{
		at + "databaseName=" + filepath.Join(a.options.Scratch, "%s"+suffix+".db"),
		at + "connectAttributes.setup=true", at + "connectAttributes.mode=rwc",
	}
}

// ownSettings finds out whether options are given in the data store or in the short
// form: only one of the two places may hold any.
func (a *Arm) ownSettings(at string) error {
	key := "keyspace=%s"
	switch {
	case a.kind == inProcess && a.memory():
		return nil // it is the process's own already
	case a.kind == inProcess:
		key = "dataDir=" + filepath.Join(a.options.Scratch, "%s")
	}
	var all []error
	for _, place := range []string{"backends." + a.loaded.Chosen.Name + ".", at} {
		a.base = []string{place + key}
		probe, err := a.load("probe")
		if err == nil && named(probe, "probe") {
			return nil
		}
		all = append(all, err)
	}
	return fmt.Errorf("configuration of arm %s: no setting leads to a database of another name: %w", a.options.Name, errors.Join(all...))
}

func named(l *ours.Loaded, name string) bool {
	if l.Chosen == nil {
		return false
	}
	if l.Chosen.Opener.Keyspace() == name {
		return true
	}
	for _, o := range backend.DescribeOptions(l.Chosen.Opener.Options()) {
		if o.Path == "dataDir" {
			return filepath.Base(o.Default) == name
		}
	}
	return false
}

// load reads the configuration as a server would that is led to a name.
func (a *Arm) load(name string) (*ours.Loaded, error) {
	registry, err := a.options.Registry()
	if err != nil {
		return nil, err
	}
	src := a.options.Source
	src.Set = append(src.Set[:len(src.Set):len(src.Set)], a.Settings(name)...)
	loaded, err := ours.Load(src, registry)
	if err != nil {
		return nil, fmt.Errorf("configuration of arm %s: %w", a.options.Name, err)
	}
	return loaded, nil
}
