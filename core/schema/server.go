package schema

import (
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// server is what the servers of one dialect differ in, as far as it concerns
// the making of keyspaces. It is immutable.
type server struct {
	// versionTables make the tables in which a keyspace's version is kept.
	versionTables []string
	// transactions: system_schema tells of each table whether it has
	// transactions, and that is part of the schema.
	transactions bool
	// emptied: only an empty keyspace can be dropped.
	emptied bool
	// exists and missing are parts, in lower case, of the messages that say that
	// what a statement makes is there, and that what it drops or changes is not.
	exists, missing []string
	// passing are parts, in lower case, of messages after which the statement is
	// sent again: servers that had not heard of a change yet, or that gave up
	// waiting for one. Every statement of a schema may be sent again.
	passing []string
}

// passingTime bounds how long a statement is sent again.
const passingTime = time.Minute

// versionTables are those in which upstream's schema tool keeps versions, as it
// makes them (tools/cassandra/cqlclient.go): stock tools read and write them.
var versionTables = []string{
	`CREATE TABLE IF NOT EXISTS schema_version (keyspace_name text PRIMARY KEY, creation_time timestamp, curr_version text, min_compatible_version text)`,
	`CREATE TABLE IF NOT EXISTS schema_update_history (year int, month int, update_time timestamp, description text, manifest_md5 text, new_version text, old_version text, PRIMARY KEY ((year, month), update_time))`,
}

var cassandraServer = server{
	versionTables: versionTables,
	exists:        []string{"conflicts with an existing column"},
	missing:       []string{"unconfigured table", "doesn't exist", "does not exist"},
}

// ycqlServer follows YugabyteDB's sources (ql/util/errcodes.cc: ErrorText): it
// never sends 0x2400. Tables without transactions may hold rows that expire, as
// the lock of an update does.
var ycqlServer = server{
	versionTables: func() []string {
		out := make([]string, len(versionTables))
		for i, statement := range versionTables {
			out[i] = statement + ` WITH transactions = {'enabled': false} AND tablets = 1`
		}
		return out
	}(),
	transactions: true,
	emptied:      true,
	exists:       []string{"duplicate object", "duplicate type", "duplicate column", "keyspace already exists"},
	missing:      []string{"object not found", "type not found", "keyspace not found", "undefined column"},
	passing:      []string{"stale metadata cache", "wrong metadata version", "timed out", "cannot delete keyspace which has"},
}

// says tells whether the server's message, the first line of it (what follows is
// the statement), has one of the parts.
func says(e *cql.Error, parts []string) bool {
	head, _, _ := strings.Cut(strings.ToLower(e.Message), "\n")
	for _, part := range parts {
		if strings.Contains(head, part) {
			return true
		}
	}
	return false
}
