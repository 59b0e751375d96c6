package arm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/tools/common/schema"
	sqltool "go.temporal.io/server/tools/sql"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	ours "github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	ourschema "github.com/temporal-ycql/temporal-ycql/core/schema"
)

// adminTimeout bounds the making or dropping of a schema.
const adminTimeout = 2 * time.Minute

// errExists is the error of a database that a run did not make.
var errExists = errors.New("it exists already and this run did not make it: it is left alone")

// Database is a database of the run's own. It is used by one goroutine.
type Database struct {
	Name string
	arm  *Arm
	// loaded is the configuration that leads to it.
	loaded *ours.Loaded
	files  []string // of file databases, globs
	made   bool     // by this run, if only in part
	// release ends the life of a database of this process; nil where it is not held.
	release func() error
}

// Settings lead a server in another process to this database: see [Arm.Settings].
func (d *Database) Settings() []string { return d.arm.Settings(d.Name) }

// Config is the server's configuration that leads to this database.
func (d *Database) Config() *config.Config { return d.loaded.Config }

func env() backend.Env {
	return backend.Env{Logger: slog.New(slog.DiscardHandler), Application: "temporal-compare"}
}

// Create makes the database of a name, with its schema. It fails if there is one
// already. A database of the process that opens it is only reserved: whoever opens
// it makes its schema.
func (a *Arm) Create(ctx context.Context, name string) (*Database, error) {
	d, err := a.database(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	switch a.kind {
	case remote, cassandra:
		err = d.createKeyspace(ctx)
	case sqlite, inProcess:
		err = d.reserveFiles()
	case sqlServer:
		err = d.createSQL()
	}
	if err != nil {
		err = fmt.Errorf("make the database %s of arm %s: %w", name, a.Name(), err)
		if d.made { // half of it stays for nobody, also where ctx has ended
			err = errors.Join(err, d.Drop(context.WithoutCancel(ctx)))
		}
		return nil, err
	}
	return d, nil
}

// Drop removes a database by its name, also one that another process has made or
// that is not there.
func (a *Arm) Drop(ctx context.Context, name string) error {
	d, err := a.database(name)
	if err != nil {
		return err
	}
	return d.Drop(ctx)
}

func (a *Arm) database(name string) (*Database, error) {
	loaded, err := a.load(name)
	if err != nil {
		return nil, err
	}
	d := &Database{Name: name, arm: a, loaded: loaded}
	if (a.kind == sqlite || a.kind == inProcess) && !a.memory() {
		path := filepath.Join(a.options.Scratch, name)
		d.files = []string{path, path + ".db", path + ".db-*"}
	}
	if v := a.loaded.Config.Persistence.VisibilityStore; v != "" {
		path := filepath.Join(a.options.Scratch, name+"_visibility.db")
		d.files = append(d.files, path, path+"-*")
	}
	return d, nil
}

// Drop removes the database. It does not fail if there is none.
func (d *Database) Drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	err := d.Release()
	switch d.arm.kind {
	case remote, cassandra:
		err = errors.Join(err, d.dropKeyspace(ctx))
	case sqlServer:
		for _, store := range d.sqlStores() {
			cfg := *store.cfg
			err = errors.Join(err, sqltool.DoDropDatabase(&cfg, defaultDatabase(&cfg), log.NewNoopLogger()))
		}
	case sqlite, inProcess:
	}
	err = errors.Join(err, d.removeFiles())
	if err != nil {
		return fmt.Errorf("drop the database %s of arm %s: %w", d.Name, d.arm.Name(), err)
	}
	return nil
}

// Release ends the life of a database in memory; others stay.
func (d *Database) Release() error {
	if d.release == nil {
		return nil
	}
	return d.release()
}

// reserveFiles checks that nothing is where files will be.
func (d *Database) reserveFiles() error {
	for _, pattern := range d.files {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return fmt.Errorf("%s: %w", found[0], errExists)
		}
	}
	d.made = true
	if d.arm.kind != sqlite || d.arm.memory() {
		return nil
	}
	// The plugin makes the schema of a database in memory by itself.
	cfg := *d.sql()
	cfg.ConnectAttributes = maps.Clone(cfg.ConnectAttributes)
	delete(cfg.ConnectAttributes, "setup")
	if err := sqliteschema.SetupSchema(&cfg); err != nil {
		return fmt.Errorf("make its schema: %w", err)
	}
	return nil
}

func (d *Database) removeFiles() error {
	var all []error
	for _, pattern := range d.files {
		found, err := filepath.Glob(pattern)
		all = append(all, err)
		for _, path := range found {
			all = append(all, os.RemoveAll(path))
		}
	}
	return errors.Join(all...)
}

// Files is the size of the database's files in bytes; false if it has none here.
func (d *Database) Files() (int64, bool) {
	var size int64
	known := false
	for _, pattern := range d.files {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		for _, path := range found {
			_ = filepath.WalkDir(path, func(_ string, e os.DirEntry, err error) error {
				if err != nil {
					return nil //nolint:nilerr // files come and go
				}
				if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
					size += info.Size()
					known = true
				}
				return nil
			})
		}
	}
	return size, known
}

// admin opens an administrator's connection to a CQL server.
func (d *Database) admin(ctx context.Context, use func(cql.Admin) error) error {
	opener, err := d.opener()
	if err != nil {
		return err
	}
	admin, err := opener.OpenAdmin(ctx, env())
	if err != nil {
		return err
	}
	return errors.Join(use(admin), admin.Close())
}

// opener is the database's own, or for stock Cassandra the one of our backend that
// reaches the same keyspace.
func (d *Database) opener() (backend.Opener, error) {
	if d.loaded.Chosen != nil {
		return d.loaded.Chosen.Opener, nil
	}
	registry, err := d.arm.options.Registry()
	if err != nil {
		return nil, err
	}
	b, err := registry.Lookup("cassandra")
	if err != nil {
		return nil, err
	}
	o, err := b.ParseOptions(asOurs(d.store().Cassandra))
	if err != nil {
		return nil, fmt.Errorf("reach stock Cassandra's keyspace: %w", err)
	}
	return o, nil
}

// asOurs translates the block of stock Cassandra.
func asOurs(c *config.Cassandra) map[string]any {
	options := map[string]any{"hosts": c.Hosts, "keyspace": c.Keyspace, "disableInitialHostLookup": c.DisableInitialHostLookup}
	set := func(key string, value any, given bool) {
		if given {
			options[key] = value
		}
	}
	set("port", c.Port, c.Port != 0)
	set("user", c.User, c.User != "")
	set("password", c.Password, c.Password != "")
	set("allowedAuthenticators", c.AllowedAuthenticators, len(c.AllowedAuthenticators) > 0)
	set("datacenter", c.Datacenter, c.Datacenter != "")
	if t := c.TLS; t != nil && t.Enabled {
		options["tls"] = map[string]any{
			"enabled": true, "caFile": t.CaFile, "certFile": t.CertFile, "keyFile": t.KeyFile,
			"caData": t.CaData, "certData": t.CertData, "keyData": t.KeyData,
			"serverName": t.ServerName, "enableHostVerification": t.EnableHostVerification,
		}
	}
	if a := c.AddressTranslator; a != nil && a.Translator != "" {
		options["addressTranslator"] = map[string]any{"translator": a.Translator, "options": a.Options}
	}
	return options
}

// schema is what opens the keyspace, and what belongs into it.
func (d *Database) schema() (backend.Opener, ourschema.Set, error) {
	opener, err := d.opener()
	if err != nil {
		return nil, ourschema.Set{}, err
	}
	set, err := ourschema.For(opener.Dialect().Name())
	return opener, set, err
}

func (d *Database) createKeyspace(ctx context.Context) error {
	opener, set, err := d.schema()
	if err != nil {
		return err
	}
	return d.admin(ctx, func(admin cql.Admin) error {
		rows, err := admin.Query(ctx, `SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?`, d.Name)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			return fmt.Errorf("keyspace %s: %w", d.Name, errExists)
		}
		d.made = true
		return makeSchema(ctx, toTheirEnd{admin}, set, opener, d.Name, d.arm.options.Replication)
	})
}

// toTheirEnd waits for the end of each statement, also where the context ends before it:
// what was given up could make a keyspace after it was looked for, to be dropped. The
// session's own limit holds.
type toTheirEnd struct{ cql.Admin }

// Exec implements cql.Admin.
func (a toTheirEnd) Exec(ctx context.Context, text string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return a.Admin.Exec(context.WithoutCancel(ctx), text, args...)
}

// CAS implements cql.Admin.
func (a toTheirEnd) CAS(ctx context.Context, text string, args ...any) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return a.Admin.CAS(context.WithoutCancel(ctx), text, args...)
}

func (d *Database) dropKeyspace(ctx context.Context) error {
	_, set, err := d.schema()
	if err != nil {
		return err
	}
	return d.admin(ctx, func(admin cql.Admin) error {
		// YugabyteDB drops a keyspace only when it is empty: the tool sees to it.
		return (&ourschema.Tool{Admin: admin, Set: set, Keyspace: d.Name, Out: io.Discard}).Drop(ctx)
	})
}

func makeSchema(ctx context.Context, admin cql.Admin, set ourschema.Set, opener backend.Opener, name string, r ourschema.Replication) error {
	tool := &ourschema.Tool{
		Admin: admin, Set: set, Keyspace: name, Out: io.Discard, Alone: true,
		Prepare: ourschema.Preparing(opener, env(), io.Discard),
	}
	if err := tool.Create(ctx, r); err != nil {
		return err
	}
	return tool.Update(ctx)
}

func (d *Database) store() config.DataStore {
	return d.loaded.Config.Persistence.DataStores[d.loaded.Config.Persistence.DefaultStore]
}

func (d *Database) sql() *config.SQL { return d.store().SQL }

// sqlStore is a database on a SQL server and the schema that it gets.
type sqlStore struct {
	cfg    *config.SQL
	schema string
}

// schemas are upstream's names by plugin, for the default store and visibility.
var schemas = map[string][2]string{
	"postgres12":     {"postgresql/v12/temporal", "postgresql/v12/visibility"},
	"postgres12_pgx": {"postgresql/v12/temporal", "postgresql/v12/visibility"},
	"mysql8":         {"mysql/v8/temporal", "mysql/v8/visibility"},
}

func defaultDatabase(cfg *config.SQL) string {
	if cfg.PluginName == "mysql8" {
		return ""
	}
	return "postgres"
}

func (d *Database) sqlStores() []sqlStore {
	p := d.loaded.Config.Persistence
	stores := []sqlStore{{d.sql(), schemas[d.sql().PluginName][0]}}
	if v := p.DataStores[p.VisibilityStore].SQL; v != nil && p.VisibilityStore != p.DefaultStore && schemas[v.PluginName] != [2]string{} {
		stores = append(stores, sqlStore{v, schemas[v.PluginName][1]})
	}
	return stores
}

func (d *Database) createSQL() error {
	if _, known := schemas[d.sql().PluginName]; !known {
		return fmt.Errorf("SQL plugin %q: only %v and sqlite can be compared", d.sql().PluginName, slices.Sorted(maps.Keys(schemas)))
	}
	quiet := log.NewNoopLogger()
	for _, store := range d.sqlStores() {
		cfg := *store.cfg
		if err := sqltool.DoCreateDatabase(&cfg, defaultDatabase(&cfg), quiet); err != nil {
			return err
		}
		conn, err := sqltool.NewConnection(store.cfg, quiet)
		if err != nil {
			return err
		}
		// MySQL's plugin creates "if not exists".
		if tables, listErr := conn.ListTables(); listErr != nil || len(tables) > 0 {
			conn.Close()
			return cmp.Or(listErr, fmt.Errorf("database %s: %w", store.cfg.DatabaseName, errExists))
		}
		d.made = true
		err = schema.NewSetupSchemaTask(conn, &schema.SetupConfig{InitialVersion: "0.0"}, quiet).Run()
		if err == nil {
			err = schema.NewUpdateSchemaTask(conn, &schema.UpdateConfig{SchemaName: store.schema}, quiet).Run()
		}
		conn.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
