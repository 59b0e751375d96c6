package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/pipe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
)

// place is an engine with its directory and sessions.
type place struct {
	dir       string
	node      *standalone.Node
	pipe, tcp *gocql.Session
}

// open starts a durable engine with a listener on TCP and tables to measure with.
func open(o options) (*place, error) {
	dir, err := os.MkdirTemp(o.dir, "bench-engine-")
	if err != nil {
		return nil, err
	}
	p := &place{dir: dir}
	p.node, err = standalone.Start(standalone.Options{
		Dialect: parse.Cassandra, DataDir: dir, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if p.pipe, err = connect(p.node.Pipe(nil), nil); err == nil {
		p.tcp, err = connect(nil, p.node.TCPAddr())
	}
	if err == nil {
		err = tables(p.pipe)
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *place) close() error {
	for _, s := range []*gocql.Session{p.pipe, p.tcp} {
		if s != nil {
			s.Close()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(p.node.Close(ctx), os.RemoveAll(p.dir))
}

type hosts struct{ l *pipe.Listener }

// DialHost implements gocql.HostDialer.
func (d hosts) DialHost(ctx context.Context, _ *gocql.HostInfo) (*gocql.DialedHost, error) {
	c, err := d.l.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &gocql.DialedHost{Conn: c, DisableCoalesce: true}, nil
}

// connect opens a session over a pipe or to an address, as the backends do it:
// without gocql's write coalescing, which waits a millisecond.
func connect(l *pipe.Listener, addr net.Addr) (*gocql.Session, error) {
	c := gocql.NewCluster("127.0.0.1")
	c.ProtoVersion, c.Timeout, c.ConnectTimeout = 4, 30*time.Second, 30*time.Second
	c.Consistency, c.WriteCoalesceWaitTime, c.ReconnectInterval = gocql.Quorum, 0, 0
	c.DisableInitialHostLookup = true
	if l != nil {
		c.HostDialer = hosts{l}
	} else {
		c.Port = addr.(*net.TCPAddr).Port
	}
	return c.CreateSession()
}

const keyspace = "bench"

// tables makes the keyspace and the tables anew.
func tables(s *gocql.Session) error {
	for _, text := range []string{
		"DROP KEYSPACE IF EXISTS " + keyspace,
		"CREATE KEYSPACE " + keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE " + keyspace + ".one (k int PRIMARY KEY, v blob)",
		"CREATE TABLE " + keyspace + ".many (k int, c int, v blob, n bigint, PRIMARY KEY (k, c))",
	} {
		if err := s.Query(text).Exec(); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// Statements that are measured. Values have 300 B that do not compress.
var value = func() []byte {
	b := make([]byte, 300)
	rand.NewChaCha8([32]byte{}).Read(b) //nolint:errcheck // never fails
	return b
}()

// distinct are how many keys writes go to.
const distinct = 100_000

func insert(s *gocql.Session) func(int) error {
	return func(i int) error {
		return s.Query("INSERT INTO bench.one (k, v) VALUES (?, ?)", i%distinct, value).Exec()
	}
}

func selectByKey(s *gocql.Session, keys int) func(int) error {
	return func(i int) error {
		var v []byte
		return s.Query("SELECT v FROM bench.one WHERE k = ?", i%keys).Scan(&v)
	}
}

// casRows is how many rows a conditional batch writes beside the one that it tests.
const casRows = 5

// conditionalBatch is what a shard of Temporal does: one lease tested and written
// back, some rows beside it, all in one partition.
func conditionalBatch(s *gocql.Session) func(int) error {
	return func(i int) error {
		b := s.NewBatch(gocql.LoggedBatch)
		b.Query("UPDATE bench.many SET n = ? WHERE k = ? AND c = ? IF n = ?", 7, 1, -1, 7)
		for j := range casRows {
			b.Query("INSERT INTO bench.many (k, c, v) VALUES (?, ?, ?)", 1, i%(distinct/casRows)*casRows+j, value)
		}
		row := map[string]any{}
		applied, iter, err := s.MapExecuteBatchCAS(b, row)
		if err != nil {
			return err
		}
		if err := iter.Close(); err != nil {
			return err
		}
		if !applied {
			return fmt.Errorf("a conditional batch was refused: %v", row)
		}
		return nil
	}
}

// lease makes the row that conditional batches test.
func lease(s *gocql.Session) error {
	return s.Query("INSERT INTO bench.many (k, c, n) VALUES (1, -1, 7)").Exec()
}

// fill makes rows of a table many times over as fast as it goes: n rows, in
// partitions of 1,000 from key first on, in batches of one partition.
func fill(s *gocql.Session, first, n int) error {
	const part, piece = 1000, 100
	next := make(chan int)
	errs := make(chan error, 16)
	for range cap(errs) {
		go func() {
			var err error
			for at := range next {
				if err != nil {
					continue
				}
				b := s.NewBatch(gocql.UnloggedBatch)
				for i := at; i < min(at+piece, n); i++ {
					b.Query("INSERT INTO bench.many (k, c, v) VALUES (?, ?, ?)", first+i/part, i%part, value[:100])
				}
				err = s.ExecuteBatch(b)
			}
			errs <- err
		}()
	}
	for at := 0; at < n; at += piece {
		next <- at
	}
	close(next)
	var all []error
	for range cap(errs) {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}
