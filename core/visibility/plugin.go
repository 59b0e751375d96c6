package visibility

import (
	"fmt"
	"sync"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
)

// PluginName is the name of the plugin in the configuration:
//
//	persistence:
//	  visibilityStore: visibility
//	  datastores:
//	    visibility:
//	      sql:
//	        pluginName: sqlite-grouped
//	        databaseName: /var/lib/temporal/visibility.db
//	        connectAddr: localhost   # both are required by Temporal and not used
//	        connectProtocol: tcp
//	        connectAttributes: {linger: 20ms}   # mode: memory for nothing that lasts
//
// maxConns and maxIdleConns are the connections for queries, 4 if not given.
const PluginName = "sqlite-grouped"

// Register makes the plugin known to Temporal, which keeps its plugins in a
// variable of the process. Call it before a server is made; calling it again does
// nothing. Nothing is opened or started until a store asks for it.
var Register = sync.OnceFunc(func() {
	sql.RegisterPlugin(PluginName, newPlugin())
})

// plugin holds the files that this process has open.
type plugin struct {
	mu    sync.Mutex
	files map[string]*file // by options.key
	seen  readers
}

func newPlugin() *plugin {
	return &plugin{files: map[string]*file{}, seen: readers{}}
}

// GetVisibilityQueryConverter returns upstream's for SQLite. Temporal asks by the
// name of the store, which is "sqlite", so this one is for completeness.
func (*plugin) GetVisibilityQueryConverter() sqlplugin.VisibilityQueryConverter {
	converter, err := sql.GetPluginVisibilityQueryConverter(sqlite.PluginName)
	if err != nil {
		panic(err) // importing package sqlite has registered it
	}
	return converter
}

// CreateDB opens a store. Each role of a server does so, and the version check
// before; they share one file and its writer until the last of them is closed.
// The result is a sqlplugin.DB and a sqlplugin.AdminDB.
func (p *plugin) CreateDB(
	dbKind sqlplugin.DbKind,
	cfg *config.SQL,
	r resolver.ServiceResolver,
	logger log.Logger,
	handler metrics.Handler,
) (sqlplugin.GenericDB, error) {
	if dbKind == sqlplugin.DbKindMain {
		return nil, fmt.Errorf("plugin %s keeps visibility only: use another data store for persistence.defaultStore", PluginName)
	}
	f, err := p.open(cfg, logger)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", PluginName, err)
	}
	upstream, err := sql.NewSQLDB(dbKind, f.readerConfig(cfg), r, logger, handler)
	if err != nil {
		_ = p.release(f) // the error before it says more
		return nil, fmt.Errorf("plugin %s: %w", PluginName, describe("open visibility file", f.path, err))
	}
	admin, ok := upstream.(sqlplugin.AdminDB)
	if !ok {
		_ = upstream.Close()
		_ = p.release(f)
		return nil, fmt.Errorf("plugin %s: upstream's %T is no AdminDB", PluginName, upstream)
	}
	return &store{
		DB: upstream, AdminCRUD: admin, admin: admin, name: cfg.DatabaseName, writer: f.writer,
		release: sync.OnceValue(func() error { return p.release(f) }),
	}, nil
}
