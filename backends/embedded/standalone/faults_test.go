package standalone_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
	ybgocql "github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
)

// Requests that faults are tried on. Each writes row 1, the batch row 2 as well.
const (
	faultInsert = "INSERT INTO app.t (k, v) VALUES (1, 2)"
	faultSecond = "INSERT INTO app.t (k, v) VALUES (2, 2)"
	faultBlock  = "BEGIN TRANSACTION UPDATE app.t SET v = 2 WHERE k = 1 IF v = 1 ELSE ERROR; END TRANSACTION;"
	faultBatch  = "a native batch"
)

// errNoAnswer stands for what a driver makes of a connection that broke, or of an
// answer that did not come.
var errNoAnswer = errors.New("no answer")

// faultCase is what a client meets: an error code and part of its text, or no answer
// at all; and what became of its write then.
type faultCase struct {
	kind    sim.Kind
	text    string
	code    int
	says    string
	is      error
	applied bool
}

var ycqlFaults = []faultCase{
	{kind: sim.ConflictAborted, text: faultBlock, code: 0x0000, says: "Conflicts with higher priority transaction"},
	{kind: sim.ConflictAborted, text: faultInsert, code: 0x0000, says: "(transaction error 3)"},
	{kind: sim.ConflictCommitted, text: faultBlock, code: 0x0000, says: "Transaction expired", applied: true},
	{kind: sim.TimeoutBefore, text: faultBlock, code: 0x2200, says: "passed its deadline"},
	{kind: sim.TimeoutBefore, text: faultBatch, code: 0x2200, says: "passed its deadline"},
	{kind: sim.TimeoutAfter, text: faultBlock, code: 0x2200, says: "passed its deadline", applied: true},
	{kind: sim.TimeoutAfter, text: faultBatch, code: 0x2200, says: "passed its deadline", applied: true},
	{kind: sim.LeaseBefore, text: faultBlock, code: 0x2200, says: "Leader does not have a valid lease"},
	{kind: sim.LeaseAfter, text: faultInsert, code: 0x2200, says: "Leader does not have a valid lease", applied: true},
	{kind: sim.DuplicateRequest, text: faultInsert, code: 0x2200, says: "Duplicate request", applied: true},
	{kind: sim.DuplicateRequest, text: faultBlock, code: 0x2200, says: "Duplicate request", applied: true},
	{kind: sim.Rerun, text: faultBlock, code: 0x2200, says: "Condition on table t was not satisfied", applied: true},
	{kind: sim.Overloaded, text: faultBlock, code: 0x1001, says: "Unable to allocate CQL processor"},
	{kind: sim.CutBefore, text: faultBlock, is: errNoAnswer},
	{kind: sim.CutAfter, text: faultBlock, is: errNoAnswer, applied: true},
	{kind: sim.CutAfter, text: faultBatch, is: errNoAnswer, applied: true},
	{kind: sim.Late, text: faultBlock, is: errNoAnswer, applied: true},
	{kind: sim.Late, text: faultBatch, is: errNoAnswer, applied: true},
}

// TestEveryFaultReachesTheYugabyteDriver has yugabyte/gocql meet every kind of
// fault over the pipe and over TCP; stale reads and half batches have tests of
// their own.
func TestEveryFaultReachesTheYugabyteDriver(t *testing.T) {
	tried := map[sim.Kind]bool{sim.StaleRead: true, sim.HalfBatch: true}
	for _, listen := range []string{"", "127.0.0.1:0"} {
		for _, tt := range ycqlFaults {
			tried[tt.kind] = true
			t.Run(fmt.Sprintf("%s of %.12s, listen %q", tt.kind, tt.text, listen), func(t *testing.T) {
				n := start(t, standalone.Options{Dialect: parse.YCQL, Listen: listen, Simulation: &sim.Options{LateAfter: -1}})
				s := faultSession(t, n)
				ybMust(t, s, "CREATE KEYSPACE app")
				ybMust(t, s, "CREATE TABLE app.t (k int PRIMARY KEY, v int) WITH transactions = {'enabled': true}")
				ybMust(t, s, "INSERT INTO app.t (k, v) VALUES (1, 1)")
				if err := n.Simulation().SetFaults(sim.Fault{Kind: tt.kind, Rate: 1, Limit: 1}); err != nil {
					t.Fatal(err)
				}
				ctx := t.Context()
				if tt.kind == sim.Late {
					// No answer comes: the client gives up when the write waits for its time.
					given, giveUp := context.WithCancel(ctx)
					defer giveUp()
					ctx = given
					go func() {
						for ctx.Err() == nil && n.Simulation().LateWrites() == 0 {
							time.Sleep(time.Millisecond)
						}
						giveUp()
					}()
				}
				err := faultRun(ctx, s, tt.text)
				var re ybgocql.RequestError
				switch {
				case tt.is != nil && (err == nil || errors.As(err, &re)):
					t.Fatalf("err = %v, want no answer", err)
				case tt.is == nil && (!errors.As(err, &re) || re.Code() != tt.code || !strings.Contains(re.Message(), tt.says)):
					t.Fatalf("err = %v, want %#04x and %q", err, tt.code, tt.says)
				}
				if got := n.Simulation().Injected(); !maps.Equal(got, map[sim.Kind]int{tt.kind: 1}) {
					t.Fatalf("Injected() = %v", got)
				}
				want := 1
				if tt.applied {
					want = 2
				}
				if tt.kind == sim.Late {
					// The client has given up, and nothing is written yet.
					if v := faultValue(t, s); v != 1 {
						t.Fatalf("v = %d before the late write, want 1", v)
					}
					n.Simulation().ApplyLate()
					eventually(t, func() bool { return n.Simulation().LateWrites() == 0 })
				}
				if v := faultValue(t, s); v != want {
					t.Fatalf("v = %d, want %d", v, want)
				}
			})
		}
	}
	for _, k := range sim.Kinds(parse.YCQL) {
		if !tried[k] {
			t.Errorf("%s was not tried", k)
		}
	}
}

// faultSession does not try again by itself and connects again soon.
func faultSession(t *testing.T, n *standalone.Node) *ybgocql.Session {
	t.Helper()
	return ybSessionWith(t, n, nil, func(c *ybgocql.ClusterConfig) {
		c.ReconnectionPolicy = &ybgocql.ConstantReconnectionPolicy{MaxRetries: 10, Interval: 10 * time.Millisecond}
		c.ReconnectInterval = 50 * time.Millisecond
	})
}

func faultRun(ctx context.Context, s *ybgocql.Session, text string) error {
	if text != faultBatch {
		return s.Query(text).WithContext(ctx).Exec()
	}
	b := s.NewBatch(ybgocql.UnloggedBatch).WithContext(ctx)
	b.Query(faultInsert)
	b.Query(faultSecond)
	return s.ExecuteBatch(b)
}

// faultValue reads row 1, as soon as the driver has a connection again.
func faultValue(t *testing.T, s *ybgocql.Session) (v int) {
	t.Helper()
	var err error
	eventually(t, func() bool {
		err = s.Query("SELECT v FROM app.t WHERE k = 1").Scan(&v)
		return err == nil
	})
	return v
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("did not happen in time")
		}
	}
}

// Half of a native batch over several partitions is lost, never a part of one of them.
func TestHalfABatchIsLostThroughTheYugabyteDriver(t *testing.T) {
	n := start(t, standalone.Options{Dialect: parse.YCQL, Simulation: &sim.Options{Seed: 3}})
	s := ybSession(t, n, nil)
	ybMust(t, s, "CREATE KEYSPACE app")
	ybMust(t, s, "CREATE TABLE app.q (k int, c int, PRIMARY KEY ((k), c))")
	if err := n.Simulation().SetFaults(sim.Fault{Kind: sim.HalfBatch, Rate: 1}); err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		b := s.NewBatch(ybgocql.UnloggedBatch)
		for k := range 4 {
			for c := range 2 {
				b.Query("INSERT INTO app.q (k, c) VALUES (?, ?)", round*4+k, c)
			}
		}
		err := s.ExecuteBatch(b)
		var re ybgocql.RequestError
		if !errors.As(err, &re) || re.Code() != 0x2200 || !strings.Contains(re.Message(), "passed its deadline") {
			t.Fatalf("err = %v", err)
		}
		var written []int
		for k := range 4 {
			var rows int
			if err := s.Query("SELECT count(*) FROM app.q WHERE k = ?", round*4+k).Scan(&rows); err != nil {
				t.Fatal(err)
			}
			if rows == 1 {
				t.Fatalf("partition %d is written by half", k)
			}
			written = append(written, rows/2)
		}
		if !slices.Contains(written, 0) || !slices.Contains(written, 1) {
			t.Fatalf("partitions written: %v, want some and not all", written)
		}
	}
	b := s.NewBatch(ybgocql.UnloggedBatch)
	b.Query("INSERT INTO app.q (k, c) VALUES (?, ?)", 1000, 1)
	b.Query("INSERT INTO app.q (k, c) VALUES (?, ?)", 1000, 2)
	if err := s.ExecuteBatch(b); err != nil {
		t.Fatalf("a batch of one partition is atomic: %v", err)
	}
}

// What of it a Cassandra shows, through its driver.
func TestFaultsReachTheCassandraDriver(t *testing.T) {
	const insert, cas = "INSERT INTO app.t (k, v) VALUES (1, 2)", "UPDATE app.t SET v = 2 WHERE k = 1 IF v = 1"
	for _, tt := range []struct {
		kind      sim.Kind
		text      string
		writeType string // of a write timeout
		code      int
		applied   bool
	}{
		{kind: sim.TimeoutBefore, text: insert, writeType: "SIMPLE", code: gocql.ErrCodeWriteTimeout},
		{kind: sim.TimeoutAfter, text: insert, writeType: "SIMPLE", code: gocql.ErrCodeWriteTimeout, applied: true},
		{kind: sim.TimeoutBefore, text: cas, writeType: "CAS", code: gocql.ErrCodeWriteTimeout},
		{kind: sim.TimeoutAfter, text: cas, writeType: "CAS", code: gocql.ErrCodeWriteTimeout, applied: true},
		{kind: sim.Overloaded, text: insert, code: gocql.ErrCodeOverloaded},
		{kind: sim.CutBefore, text: cas},
		{kind: sim.CutAfter, text: cas, applied: true},
	} {
		t.Run(fmt.Sprintf("%s of %.6s", tt.kind, tt.text), func(t *testing.T) {
			n := start(t, standalone.Options{Dialect: parse.Cassandra, Listen: "127.0.0.1:0", Simulation: &sim.Options{}})
			s := session(t, n, func(c *gocql.ClusterConfig) {
				c.ReconnectInterval = 50 * time.Millisecond
				c.Logger = silent{}
			})
			must(t, s, cassandraKeyspace)
			must(t, s, "CREATE TABLE app.t (k int PRIMARY KEY, v int)")
			must(t, s, "INSERT INTO app.t (k, v) VALUES (1, 1)")
			if err := n.Simulation().SetFaults(sim.Fault{Kind: tt.kind, Rate: 1, Limit: 1}); err != nil {
				t.Fatal(err)
			}
			err := s.Query(tt.text).RetryPolicy(nil).Exec()
			var re gocql.RequestError
			var timeout *gocql.RequestErrWriteTimeout
			var op *net.OpError
			switch {
			case err == nil:
				t.Fatal("no error")
			case tt.code == 0 && errors.As(err, &re) && !errors.As(err, &op):
				t.Fatalf("err = %v, want a broken connection", err)
			case tt.code != 0 && (!errors.As(err, &re) || re.Code() != tt.code):
				t.Fatalf("err = %v, want %#04x", err, tt.code)
			case tt.writeType != "" && (!errors.As(err, &timeout) || timeout.WriteType != tt.writeType):
				t.Fatalf("err = %#v, want write type %s", err, tt.writeType)
			}
			var v int
			eventually(t, func() bool { return s.Query("SELECT v FROM app.t WHERE k = 1").Scan(&v) == nil })
			if want := map[bool]int{true: 2, false: 1}[tt.applied]; v != want {
				t.Fatalf("v = %d, want %d", v, want)
			}
		})
	}
}
