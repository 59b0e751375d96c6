// Package interchange holds the promise that a keyspace of Apache Cassandra is
// the same whether stock Temporal's stores wrote it or ours: a seeded script of
// store calls is run on both, and their answers, every row of every table, the
// lives of rows that expire, and the tombstones on disk are compared.
package interchange
