package schema

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/blang/semver/v4"
	stockschema "go.temporal.io/server/schema"
	stockcassandra "go.temporal.io/server/schema/cassandra"

	"github.com/temporal-ycql/temporal-ycql/schema/yugabyte"
)

// Set is the versioned schema of one dialect. It is immutable.
type Set struct {
	// Dialect is the dialect's name.
	Dialect string
	// Database is what speaks the dialect, for messages.
	Database string
	// Version is what this binary needs and updates to.
	Version string
	// Replicated says that keyspaces of this dialect are made with a
	// replication strategy. Others have the replication of their cluster.
	Replicated bool

	files  fs.FS  // holds versioned/vX.Y
	stock  string // its name among the server module's schemas; empty: not one of them
	server server // how servers of the dialect behave
}

// Cassandra is stock Temporal's schema for Apache Cassandra.
func Cassandra() Set {
	const name = "cassandra/temporal"
	files, err := fs.Sub(stockschema.Assets(), name)
	if err != nil {
		panic(err) // the name is a valid path
	}
	return Set{
		Dialect: "cassandra", Database: "Apache Cassandra", Version: stockcassandra.Version, Replicated: true,
		files: files, stock: name, server: cassandraServer,
	}
}

// YCQL is the schema of this project for YugabyteDB.
func YCQL() Set {
	return Set{
		Dialect: "ycql", Database: "YugabyteDB", Version: yugabyte.Version,
		files: yugabyte.Files, server: ycqlServer,
	}
}

// sets are all schemas of this binary.
func sets() []Set { return []Set{Cassandra(), YCQL()} }

// For finds the schema of a dialect by the dialect's name.
func For(dialect string) (Set, error) {
	for _, set := range sets() {
		if set.Dialect == dialect {
			return set, nil
		}
	}
	return Set{}, fmt.Errorf("dialect %q has no schema in this binary", dialect)
}

// versions lists the directories up to the set's version, in order.
func (s Set) versions() ([]string, error) {
	limit, err := semver.ParseTolerant(s.Version)
	if err != nil {
		return nil, fmt.Errorf("schema version %q: %w", s.Version, err)
	}
	entries, err := fs.ReadDir(s.files, "versioned")
	if err != nil {
		return nil, fmt.Errorf("list schema versions: %w", err)
	}
	type directory struct {
		name    string
		version semver.Version
	}
	var found []directory
	for _, e := range entries {
		v, err := semver.ParseTolerant(strings.TrimPrefix(e.Name(), "v"))
		if err == nil && e.IsDir() && v.LTE(limit) {
			found = append(found, directory{e.Name(), v})
		}
	}
	slices.SortFunc(found, func(a, b directory) int { return a.version.Compare(b.version) })
	names := make([]string, len(found))
	for i, d := range found {
		names[i] = d.name
	}
	return names, nil
}

// older says whether version a comes before b. Texts that are no versions count
// as older than any.
func older(a, b string) bool {
	va, errA := semver.ParseTolerant(a)
	vb, errB := semver.ParseTolerant(b)
	switch {
	case errB != nil:
		return false
	case errA != nil:
		return true
	default:
		return va.LT(vb)
	}
}
