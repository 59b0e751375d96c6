package main

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

// cassandra has the engine and a real Cassandra take turns, both over TCP, both
// syncing before they answer, with the same driver.
func cassandra(o options) (any, error) {
	node, err := cassandratest.Launch(context.Background(), cassandratest.WithDurableCommitlog())
	if err != nil {
		return nil, err
	}
	out, err := besides(o, node.Addr())
	return out, errors.Join(err, node.Stop())
}

func besides(o options, addr string) (any, error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	theirs, err := connect(nil, tcp)
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	p, err := open(o)
	if err != nil {
		return nil, err
	}
	defer p.close() //nolint:errcheck // a benchmark's directory
	if err := tables(theirs); err != nil {
		return nil, err
	}
	for _, s := range []*gocql.Session{theirs, p.tcp} {
		if err := lease(s); err != nil {
			return nil, err
		}
		for i := range 1000 {
			if err := insert(s)(i); err != nil {
				return nil, err
			}
		}
	}
	out := map[string]any{
		"a": "embedded engine over loopback TCP", "b": "Apache Cassandra " + cassandratest.Version + ", commitlog_sync: batch, loopback TCP",
	}
	for name, op := range map[string]func(*gocql.Session) func(int) error{
		"inserts":            insert,
		"selects_by_key":     func(s *gocql.Session) func(int) error { return selectByKey(s, 1000) },
		"conditional_batch_": conditionalBatch,
	} {
		var list []duel
		for _, conc := range o.conc {
			if strings.HasSuffix(name, "_") && conc > 1 {
				// Cassandra's Paxos on one partition gives up under contention.
				continue
			}
			d, err := fight(o, conc, op(p.tcp), op(theirs))
			if err != nil {
				return nil, err
			}
			list = append(list, d)
		}
		out[strings.TrimSuffix(name, "_")] = list
	}
	return out, nil
}
