// Package cassandratest runs a real Apache Cassandra on this machine for tests
// and for people who want one.
//
// The server comes as a Maven artifact (files/pom.xml.tmpl names it) and runs on a
// Java 17 that is already installed: no package, no container. The artifacts are
// kept in the user's cache directory, under temporal-ycql/cassandra-VERSION.
//
// A test calls [Start], which gives every test of a process the same node, or the
// node that [SharedEnv] names, so that one node serves all test binaries of a run.
// A test that stops, kills or configures its node asks for one of its own with
// [StartOwn]. A node dies with the process that started it, however that ends, and
// its data go with it.
package cassandratest

// Version of the Apache Cassandra that tests run on.
const Version = "5.0.6"

// OlderVersion is the one of the older line that is supported as well; see
// [WithVersion].
const OlderVersion = "4.1.10"

// SharedEnv names a running Cassandra as host:port, one without TLS or passwords.
// [Start] then starts none.
const SharedEnv = "CQL_TEST_CASSANDRA"
