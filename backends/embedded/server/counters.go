package server

import "sync/atomic"

// Counters count what the requests of one connection, or of all connections of
// one [Server.Serve], have cost. They are safe for concurrent use.
type Counters struct {
	requests, statements, prepares atomic.Int64
	rounds, commits                atomic.Int64
	rows                           atomic.Int64
	bytesIn, bytesOut              atomic.Int64

	parent *Counters
}

// Counts is a reading of [Counters].
type Counts struct {
	// Requests are QUERY, EXECUTE and BATCH messages: round trips of a client that
	// has prepared its statements. Prepares are PREPARE messages.
	Requests, Prepares int64
	// Rounds, Commits and Statements are the sums of [Cost].
	Rounds, Commits, Statements int64
	// Rows are rows in results.
	Rows int64
	// BytesIn and BytesOut are whole frames, headers included, as they are on the wire.
	BytesIn, BytesOut int64
}

// Counts reads c.
func (c *Counters) Counts() Counts {
	return Counts{
		Requests: c.requests.Load(), Prepares: c.prepares.Load(),
		Rounds: c.rounds.Load(), Commits: c.commits.Load(), Statements: c.statements.Load(),
		Rows: c.rows.Load(), BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
	}
}

// Sub gives what was added since before.
func (c Counts) Sub(before Counts) Counts {
	return Counts{
		Requests: c.Requests - before.Requests, Prepares: c.Prepares - before.Prepares,
		Rounds: c.Rounds - before.Rounds, Commits: c.Commits - before.Commits, Statements: c.Statements - before.Statements,
		Rows: c.Rows - before.Rows, BytesIn: c.BytesIn - before.BytesIn, BytesOut: c.BytesOut - before.BytesOut,
	}
}

func (c *Counters) addResult(r *Result) {
	c.addCost(r.Cost)
	rows := int64(r.RowCount())
	for ; c != nil; c = c.parent {
		c.rows.Add(rows)
	}
}

// addFailed adds what a statement that failed has spent; r may be nil.
func (c *Counters) addFailed(r *Result) {
	if r != nil {
		c.addCost(r.Cost)
	}
}

func (c *Counters) addCost(cost Cost) {
	for ; c != nil; c = c.parent {
		c.rounds.Add(int64(cost.Rounds))
		c.commits.Add(int64(cost.Commits))
		c.statements.Add(int64(cost.Statements))
	}
}

func (c *Counters) addIn(n int) {
	for ; c != nil; c = c.parent {
		c.bytesIn.Add(int64(n))
	}
}

func (c *Counters) addOut(n int) {
	for ; c != nil; c = c.parent {
		c.bytesOut.Add(int64(n))
	}
}

func (c *Counters) addRequest() {
	for ; c != nil; c = c.parent {
		c.requests.Add(1)
	}
}

func (c *Counters) addPrepare() {
	for ; c != nil; c = c.parent {
		c.prepares.Add(1)
	}
}
