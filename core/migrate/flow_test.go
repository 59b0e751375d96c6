package migrate

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
)

// period tells a flow of a period in which all requests took so long.
func period(f *flow, took time.Duration) {
	f.mu.Lock()
	f.last = time.Now().Add(time.Hour) // however long this test is kept waiting, the period ends below
	f.mu.Unlock()
	for range fewestRequests {
		f.Done(&exec.Event{Duration: took})
	}
	f.mu.Lock()
	f.last = time.Now().Add(-2 * adjustEvery)
	f.mu.Unlock()
	f.Done(&exec.Event{Duration: took})
}

func allowed(f *flow) int {
	n, _ := f.state()
	return n
}

func TestFlowFollowsWhatIsMeasured(t *testing.T) {
	f := newFlow(Limits{Concurrency: 8, P99Milliseconds: 10})
	if got := allowed(f); got != 8 {
		t.Fatalf("%d at the start", got)
	}
	for _, want := range []int{6, 4, 3, 2, 1, 1} {
		period(f, 50*time.Millisecond)
		if got := allowed(f); got != want {
			t.Fatalf("%d after slow requests, want %d", got, want)
		}
	}
	for _, want := range []int{2, 3, 4} {
		period(f, time.Millisecond)
		if got := allowed(f); got != want {
			t.Fatalf("%d after quick requests, want %d", got, want)
		}
	}
	f.Done(&exec.Event{Err: &errs.Error{Kind: errs.Timeout}})
	if got := allowed(f); got != 2 {
		t.Fatalf("%d after a timeout, want 2", got)
	}
	f.set(Limits{Concurrency: 1})
	if got := allowed(f); got != 1 {
		t.Fatalf("%d after the limit was lowered", got)
	}
	f.set(Limits{Concurrency: 5})
	if got := allowed(f); got != 5 {
		t.Fatalf("%d after the limit was raised", got)
	}
}

func TestFlowLetsInWhatIsAllowed(t *testing.T) {
	f := newFlow(Limits{Concurrency: 2})
	for range 2 {
		if err := f.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.acquire(ctx); err == nil {
		t.Fatal("a third was let in")
	}
	in := make(chan error, 2)
	for range 2 {
		go func() { in <- f.acquire(t.Context()) }()
	}
	f.release()
	if err := <-in; err != nil {
		t.Fatal(err)
	}
	f.set(Limits{Concurrency: 3})
	if err := <-in; err != nil {
		t.Fatal(err)
	}
}

// What is spent above the rate makes the next one wait.
func TestFlowSpends(t *testing.T) {
	f := newFlow(Limits{RowsPerSecond: 1e-4, MegabytesPerSecond: 1e-10}) // one in some hours
	if err := f.spend(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a wait that is longer ends at once
	defer cancel()
	if err := f.spend(ctx, 1, 0); err == nil {
		t.Error("a row was given out above the rate")
	}
	if err := f.spend(ctx, 0, 1); err == nil {
		t.Error("a byte was given out above the rate")
	}
	f.set(Limits{})
	if err := f.spend(ctx, 1<<40, 1<<40); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}

func TestControlFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.yaml")
	source, target := newFlow(Limits{}), newFlow(Limits{})
	said := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		watchControl(ctx, path, source, target, func(s string) { said <- s })
	}()
	write := func(text, want string) {
		t.Helper()
		next := path + ".new"
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
		if got := <-said; !strings.Contains(got, want) {
			t.Errorf("said %q, want %q", got, want)
		}
	}
	write("source: {rowsPerSecond: 100, concurrency: 2}\ntarget: {concurrency: 9}\n", "are in force")
	if a, b, rate := allowed(source), allowed(target), float64(source.rows.Limit()); a != 2 || b != 9 || rate != 100 {
		t.Errorf("concurrency %d and %d, rate %f", a, b, rate)
	}
	write("source: {rows: 100}\n", "field rows not found")
	write("source: {concurrency: -1}\n", "negative")
	if got := allowed(source); got != 2 {
		t.Errorf("concurrency %d after a file that is wrong", got)
	}
	write(`{"target": {"concurrency": 3}}`, "are in force")
	if a, b := allowed(source), allowed(target); a != defaultConcurrency || b != 3 {
		t.Errorf("concurrency %d and %d", a, b)
	}
	cancel()
	<-done
}
