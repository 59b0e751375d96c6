package yugabyte

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	variant "github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// session implements cql.Session over gocql.
type session struct {
	options *Options
	link    *client.Link[*connection]
	router  *router // nil where statements go to the servers in turn
	work    sync.WaitGroup

	speculation gocql.SpeculativeExecutionPolicy
}

func newSession(o *Options, link *client.Link[*connection], r *router) *session {
	s := &session{
		options: o, link: link,
		speculation: &gocql.SimpleSpeculativeExecution{NumAttempts: o.Speculation.Attempts, TimeoutDelay: o.Speculation.Delay},
	}
	if o.HostSelection != roundRobin {
		s.router = r
	}
	return s
}

// find looks where the tablets are, and goes on doing so until the session is
// closed. Not to know it is no fault: the server that is asked forwards.
func (s *session) find(ctx context.Context, log *slog.Logger) {
	if s.router == nil && s.options.ReplicationFactor == 0 {
		return
	}
	load := func(ctx context.Context) (partitions, error) {
		c, ok := s.link.Current()
		if !ok {
			return nil, cql.ErrClosed
		}
		s.link.Count("partition_map_reads")
		return loadPartitions(ctx, c.Session, s.options.Keyspace)
	}
	r := s.router
	if r == nil {
		r = newRouter(s.options.Keyspace)
	}
	select {
	case <-r.wake: // by the hosts that were just found
	default:
	}
	if err := r.look(ctx, load); err != nil {
		log.Warn("where tablets are is not known, statements go to all servers in turn", "error", err)
		r.stale()
	} else if table, copies := r.tablets.Load().fewest(); table != "" && copies < s.options.ReplicationFactor {
		log.Warn("tablets have fewer copies than options.replicationFactor asks for: add servers, or change the cluster's replication factor",
			"table", table, "copies", copies, "replicationFactor", s.options.ReplicationFactor)
	}
	if s.router != nil {
		s.work.Go(func() { r.run(s.link.Stopped(), s.options.PartitionRefresh, partitionPause, load, log) })
	}
}

// Exec implements cql.Session.
func (s *session) Exec(ctx context.Context, step *cql.Step) (cql.Result, error) {
	if step.Mode == cql.Parallel {
		return s.parallel(ctx, step)
	}
	c, ok := s.link.Current()
	if !ok {
		return cql.Result{}, cql.ErrClosed
	}
	ctx, leave, err := s.choose(ctx, c, step.Calls)
	if err != nil {
		return cql.Result{}, err
	}
	defer leave()
	var res cql.Result
	if len(step.Calls) == 1 {
		res, err = s.single(ctx, c, step.Calls[0])
	} else {
		res, err = s.batch(ctx, c, step)
	}
	if err != nil {
		return s.failed(c, err)
	}
	return res, nil
}

// choose decides where calls that are sent as one go: where the rows are of the
// first one of which that is known.
func (s *session) choose(ctx context.Context, c *connection, calls []cql.Call) (context.Context, func(), error) {
	var replicas []string
	for i := 0; s.router != nil && i < len(calls) && replicas == nil; i++ {
		replicas = s.router.replicas(calls[i])
	}
	return c.policy.choose(ctx, replicas)
}

// mostBindings is how often a statement is bound to be sent once: for each try
// on each host, and again where the host had forgotten it. gocql knows no end.
const mostBindings = 32

// bind returns what gives a statement's arguments when the server has said what
// its markers are.
func (s *session) bind(c cql.Call) func(*gocql.QueryInfo) ([]any, error) {
	var bindings atomic.Int32
	return func(info *gocql.QueryInfo) ([]any, error) {
		if len(info.Args) != len(c.Args) {
			return nil, &cql.Error{Reach: cql.Unsent, Message: fmt.Sprintf("%d arguments for %d markers", len(c.Args), len(info.Args))}
		}
		if bindings.Add(1) > mostBindings {
			return nil, &cql.Error{Reach: cql.Replied, Code: cql.CodeUnprepared, Message: "the server forgets statements as soon as it has prepared them"}
		}
		if s.router != nil {
			s.router.targets.learn(c.Statement, s.options.Keyspace, info)
		}
		return arguments(c.Args), nil
	}
}

func (s *session) query(ctx context.Context, c *connection, call cql.Call) *gocql.Query {
	q := c.Bind(call.Text, s.bind(call)).WithContext(ctx).RetryPolicy(retry{attempts: s.options.Retries, idempotent: call.Idempotent})
	if call.Idempotent {
		q.Idempotent(true).SetSpeculativeExecutionPolicy(s.speculation)
	}
	return q
}

func (s *session) single(ctx context.Context, c *connection, call cql.Call) (cql.Result, error) {
	res := cql.Result{Applied: true}
	iter := s.query(ctx, c, call).Iter()
	if !call.Conditional {
		return res, iter.Close()
	}
	err := casRows(iter, &res)
	return res, err
}

func (s *session) batch(ctx context.Context, c *connection, step *cql.Step) (cql.Result, error) {
	kind := gocql.LoggedBatch // the server makes no difference
	if step.Mode == cql.Unlogged {
		kind = gocql.UnloggedBatch
	}
	b := c.NewBatch(kind).WithContext(ctx)
	status := false
	for i, call := range step.Calls {
		b.Bind(call.Text, s.bind(call))
		b.Entries[i].Idempotent = call.Idempotent
		status = status || call.Conditional
	}
	b.RetryPolicy(retry{attempts: s.options.Retries, idempotent: b.IsIdempotent()})
	res := cql.Result{Applied: true}
	if !status {
		return res, c.ExecuteBatch(b)
	}
	err := statusBatch(c.Session, b, &res)
	return res, err
}

func (s *session) parallel(ctx context.Context, step *cql.Step) (cql.Result, error) {
	err := client.Parallel(len(step.Calls), func(i int) error {
		_, err := s.Exec(ctx, &cql.Step{Mode: cql.Single, Calls: step.Calls[i : i+1]})
		return err
	})
	return cql.Result{Applied: err == nil}, err
}

// Query implements cql.Session.
func (s *session) Query(ctx context.Context, call cql.Call, page cql.Page) (cql.Rows, error) {
	c, ok := s.link.Current()
	if !ok {
		return nil, cql.ErrClosed
	}
	size := page.Size
	if size <= 0 {
		size = s.options.PageSize
	}
	ctx, leave, err := s.choose(ctx, c, []cql.Call{call})
	if err != nil {
		return nil, err
	}
	defer leave() // the page is here when Iter returns
	// PageState, nil included, keeps gocql from fetching further pages by itself.
	iter := s.query(ctx, c, call).PageSize(size).PageState(page.Token).Iter()
	return &rows{iter: iter, failed: func(err error) error {
		_, err = s.failed(c, err)
		return err
	}}, nil
}

// Close implements cql.Session. Work under way fails with an unknown outcome.
func (s *session) Close() error {
	s.link.Close()
	s.work.Wait()
	return nil
}

// failed converts an error and, if it says that the way to the database is
// lost, has the session made anew. The refusal of a block is no error.
func (s *session) failed(c *connection, err error) (cql.Result, error) {
	if client.Lost(err, noWay) {
		s.link.Renew(c)
	}
	converted := convertError(err)
	var e *cql.Error
	if errors.As(converted, &e) && variant.Refused(e) {
		return cql.Result{}, nil
	}
	return cql.Result{}, converted
}
