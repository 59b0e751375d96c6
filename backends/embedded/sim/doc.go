// Package sim makes an engine behave like a cluster that is far away or in trouble.
// It wraps a [server.Engine], and does nothing unless it is asked to.
//
// Latency: after each statement it waits what the statement's serial rounds and
// commits ([server.Cost]) would have cost on a cluster, so that the price of a
// statement plan shows on one machine. The wait comes after the work: an effect may
// be seen by others before its answer arrives, as on a real cluster, but statements
// hold nothing locked meanwhile, unlike there.
//
// Faults: rules say what goes wrong, how often and with which table. Chance is
// seeded: the same requests in the same order meet the same faults. The texts and
// codes are those of the real servers (ycql.md 1.6, 4.3). What each fault means for
// the data is said at its [Kind]; that is what makes them useful: a driver has to
// end up right without being told.
//
// Reads of system tables and schema changes are left alone.
package sim
