// Package yugabyte holds the schema of a keyspace of YugabyteDB (YCQL): one
// directory versioned/vX.Y for each version, with a manifest in the form of
// Temporal's schema tools and the statements that lead there from the version
// before.
package yugabyte

import "embed"

// Version is the version of a keyspace that this release needs.
const Version = "1.0"

// Files holds versioned/vX.Y.
//
//go:embed versioned
var Files embed.FS
