// Package interchange holds our Cassandra keyspaces to those of stock Temporal:
// the same calls are made on upstream's own store and on ours, each on a
// keyspace of its own, and every SELECT over every table must return the same.
package interchange
