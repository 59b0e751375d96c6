// Package client is what the backends for database servers share: their common
// options, connections with certificates and passwords that change, values of
// the native protocol, and a driver's session that is made anew when it is lost.
//
// The two drivers, gocql and YugabyteDB's fork of it, have equal shapes and
// unequal types: so nothing here names a driver, and what must is in the
// backends.
package client
