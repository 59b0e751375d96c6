package backend

import "context"

// Preparer is an [Opener] whose servers differ in what they can do. The schema
// tool prepares a keyspace with it at the end of "schema update", also when there
// was nothing to update: what the servers can do is found out
// and recorded in the keyspace, so that all hosts, of two releases too, write
// alike. Servers that open the keyspace read the record and need no right to
// change the schema.
type Preparer interface {
	Opener

	// Prepare asks as Probe does and records what it learned, which a later
	// Prepare may raise or lower. It fails, and leaves the record as it is, if
	// the servers lack what cannot be done without.
	Prepare(ctx context.Context, env Env) ([]Finding, error)

	// Probe asks the servers what they can do, statement by statement, in tables
	// of the keyspace that hold nothing else; it leaves no row behind. The error
	// says why it could not be asked or what is missing that cannot be done
	// without; the findings so far come with it. Errors are one line.
	Probe(ctx context.Context, env Env) ([]Finding, error)
}

// Finding is one thing that a server was asked, and what it answered.
type Finding struct {
	// Name of the ability, e.g. "null elements".
	Name string `json:"name"`
	// Statement is what was sent, and Expect what a server that has the ability
	// answers, in words; Outcome is what this one did, "" if it was not asked.
	Statement string `json:"statement"`
	Expect    string `json:"expect"`
	Outcome   string `json:"outcome,omitempty"`
	// Able: the outcome is the expected one.
	Able bool `json:"able"`
	// Needed abilities have no replacement: without one a server cannot be used.
	// Others are used where they are there, or are for information.
	Needed bool `json:"needed"`
	// Recorded is what the keyspace's record says of the ability: "yes", "no", or
	// "" if it has none.
	Recorded string `json:"recorded,omitempty"`
}
