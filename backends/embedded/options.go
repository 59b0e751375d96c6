package embedded

import (
	"regexp"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// Options are the keys under a data store's "options". They carry the names of
// the flags of "temporal-server cql" wherever it has one.
type Options struct {
	// Dialect is whose CQL the engine speaks, and so which schema the data has:
	// ycql (YugabyteDB) or cassandra. A data directory keeps the one that it was
	// made with.
	Dialect string `koanf:"dialect"`
	// DataDir is the directory that keeps the data. It is made if it does not
	// exist, and belongs to one process at a time. Either it or ephemeral is given.
	DataDir string `koanf:"dataDir"`
	// Ephemeral keeps all data in memory, until the server stops.
	Ephemeral bool `koanf:"ephemeral"`
	// Keyspace holds Temporal's tables. A server makes both by itself.
	Keyspace string `koanf:"keyspace"`
	// CacheBytes bounds the memory for blocks read from disk.
	CacheBytes int64 `koanf:"cacheBytes"`
	// RoundLatency is how long the engine waits for each serial round and each commit
	// that a cluster would need for a statement, beside its own work: to see on one
	// machine what a network costs. It is for comparisons, not for use.
	RoundLatency time.Duration `koanf:"roundLatency"`
}

// The values of Options.Dialect.
const (
	dialectCassandra = "cassandra"
	dialectYCQL      = "ycql"
)

// leastCache is the smallest cache that still holds the blocks of one read.
const leastCache = 1 << 20

// validKeyspace is what the schema tool takes.
var validKeyspace = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,47}$`)

// DefaultOptions returns the options that hold where nothing is configured.
func DefaultOptions() Options {
	return Options{Dialect: dialectYCQL, Keyspace: "temporal", CacheBytes: 64 << 20}
}

// ParseOptions decodes raw over the defaults and reports every fault at once.
func ParseOptions(raw map[string]any) (Options, error) {
	o := DefaultOptions()
	if err := backend.Decode(raw, &o); err != nil {
		return Options{}, err
	}
	return o, o.validate()
}

func (o *Options) validate() error {
	var faults backend.Faults
	if _, ok := variants[o.Dialect]; !ok {
		faults.Add("dialect", "%q is not a dialect of the embedded engine: use ycql or cassandra", o.Dialect)
	}
	switch {
	case o.DataDir == "" && !o.Ephemeral:
		faults.Add("dataDir", "name the directory that keeps the data, or set ephemeral to keep it in memory")
	case o.DataDir != "" && o.Ephemeral:
		faults.Add("ephemeral", "data is kept either in memory or in dataDir: give one of them")
	}
	if !validKeyspace.MatchString(o.Keyspace) {
		faults.Add("keyspace", "%q is not a name that CQL takes: a letter, then letters, digits and underscores, at most 48", o.Keyspace)
	}
	if o.CacheBytes < leastCache {
		faults.Add("cacheBytes", "%d is too small: give at least %d", o.CacheBytes, leastCache)
	}
	if o.RoundLatency < 0 {
		faults.Add("roundLatency", "%s is negative: give 0 or more", o.RoundLatency)
	}
	return faults.Err()
}
