package backend

// Remote is an [Opener] whose database is a cluster of nodes that are reached
// over a network.
type Remote interface {
	Opener

	// At returns an Opener for one node alone, which is asked for no others:
	// address is host or host:port. Everything else is as configured.
	At(address string) Opener

	// Security says how connections are protected.
	Security() Security
}

// Security is how connections to a database are protected.
type Security struct {
	// TLS: connections are encrypted. Verified: and the database's certificate
	// and name are checked.
	TLS, Verified bool
	// User is the one that logs in; empty: nobody does.
	User string
	// Contacts are the configured contact points as host:port.
	Contacts []string
}
