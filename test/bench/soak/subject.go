package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// subject is a server with its database, and what of both may be killed.
type subject struct {
	*harness.Server
	name    string
	node    *cassandratest.Node // nil on the engine
	engine  *harness.CQL        // nil on Apache Cassandra
	victims []victim
	closers []func() error
}

// database is the name of that victim.
const database = "database"

// victim is something that can be killed and started again; start returns when it
// takes connections.
type victim struct {
	name  string
	kill  func() error
	start func(ctx context.Context) error
}

// smallCaches are full after a minute: until Temporal's usual cache of workflows is,
// which takes 128,000, its growth looks like a leak.
var smallCaches = harness.Dynamic{"history.hostLevelCacheMaxSize": harness.Always(500)}

func open(ctx context.Context, o options) (s *subject, err error) {
	s = &subject{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	l, err := s.stand(ctx, o.server)
	if err != nil {
		return s, err
	}
	s.name = l.Name
	if s.Server, err = harness.Launch(ctx, l, harness.Spec{Node: s.node, Metrics: true, Dynamic: smallCaches}); err != nil {
		return s, err
	}
	s.closers = append(s.closers, s.Close)
	s.victims = append(s.victims, victim{"server", func() error { return s.Kill() }, s.Start})
	if err := s.Namespace(ctx, namespace, o.retention); err != nil {
		return s, err
	}
	return s, nil
}

// stand starts or finds what the server stands on.
func (s *subject) stand(ctx context.Context, name string) (l harness.Launcher, err error) {
	switch name {
	case "ycql", "cassandra":
		dir, err := os.MkdirTemp("", "temporal-ycql-soak-")
		if err != nil {
			return l, fmt.Errorf("make a directory for the engine: %w", err)
		}
		s.closers = append(s.closers, func() error { return os.RemoveAll(dir) })
		if s.engine, err = harness.StartCQL(ctx, name, dir); err != nil {
			return l, err
		}
		s.closers = append(s.closers, s.engine.Kill)
		s.victims = append(s.victims, victim{database, s.engine.Kill, s.engine.Start})
		return harness.Over(ctx, s.engine)
	case "own", "stock":
		if s.node, err = s.cassandra(ctx); err != nil {
			return l, err
		}
		if name == "stock" {
			return harness.Stock(ctx)
		}
		return harness.Own(ctx)
	default:
		return l, fmt.Errorf("-server %q: want ycql, cassandra, own or stock", name)
	}
}

// cassandra returns the node that the environment names, which others use too and
// nobody kills, or one of this run's own.
func (s *subject) cassandra(ctx context.Context) (*cassandratest.Node, error) {
	if addr := os.Getenv(cassandratest.SharedEnv); addr != "" {
		return cassandratest.External(addr)
	}
	// What it acknowledges must outlive its process. Its commit log is a mapped file that
	// a kill -9 does not touch, but with commitlog_sync: periodic a replay ends at the
	// last marker in it, up to 100 ms before the end (CASSANDRA-13987).
	node, err := cassandratest.Launch(ctx, cassandratest.WithHeap(1024), cassandratest.WithDurableCommitlog())
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, node.Stop)
	s.victims = append(s.victims, victim{database, node.Kill, func(ctx context.Context) error { return node.Restart(ctx) }})
	return node, nil
}

func (s *subject) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}
