package records_test

import (
	"context"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// lagging is a server that takes its time: the clock goes on before it begins to
// work on a request, and after that, as long as there are lags.
type lagging struct {
	exec.Executor
	now  *time.Time
	lags []time.Duration // of the next requests
}

func (l *lagging) lag() {
	if len(l.lags) > 0 {
		*l.now = l.now.Add(l.lags[0])
		l.lags = l.lags[1:]
	}
}

func (l *lagging) Write(ctx context.Context, w *plan.Write) error {
	l.lag()
	defer l.lag()
	return l.Executor.Write(ctx, w)
}

func (l *lagging) Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	l.lag()
	defer l.lag()
	return l.Executor.Read(ctx, r, page, args...)
}

// However long requests take, a life that is copied ends when it should.
func TestLivesOfSlowServers(t *testing.T) {
	tests := []struct {
		name        string
		write, read []time.Duration
	}{
		{"in time", nil, nil},
		{"the write begins late", []time.Duration{5 * time.Second}, nil},
		{"its answer is late", []time.Duration{0, 5 * time.Second}, nil},
		{"again and again", []time.Duration{9 * time.Second, 0, 0, 9 * time.Second}, nil},
		{"the read begins late", nil, []time.Duration{5 * time.Second}},
		{"its answer is late, too", nil, []time.Duration{0, 5 * time.Second, 5 * time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := time.UnixMilli(1_700_000_000_400)
			clock := func() time.Time { return now }
			state := memory.NewState()
			state.Now = clock
			server := &lagging{Executor: memory.NewExecutor(state, cql.Traits{TTL: true}), now: &now}
			w, err := records.NewWriter(server, records.WriterOptions{Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			src, err := records.NewSource(server, records.Options{Shards: 1, Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			queue := records.Record{
				Kind: records.TaskQueue, Unit: records.QueueUnit(id(1), "q", 1), Key: []any{id(1), "q", int64(1)},
				Values: []any{int64(1), blob("queue")}, Expires: now.Add(time.Minute).UnixMilli(),
			}
			task := records.Record{
				Kind: records.Task, Unit: queue.Unit, Key: []any{id(1), "q", int64(1), int64(0), int64(7)},
				Values: []any{blob("task")}, Expires: now.Add(time.Hour).UnixMilli(),
			}
			for _, r := range []records.Record{queue, task} {
				server.lags = tt.write
				if err := w.Put(t.Context(), []records.Record{r}); err != nil {
					t.Fatal(err)
				}
				server.lags = tt.read
				got, err := src.Get(t.Context(), r.Ref())
				if err != nil || got == nil {
					t.Fatal(got, err)
				}
				if apart := got.Expires - r.Expires; apart > records.ExpiryTolerance || apart < -records.ExpiryTolerance {
					t.Errorf("%s expires %d ms off", r.KeyString(), apart)
				}
			}
		})
	}
}

// plodding is a server that needs three milliseconds for a row before it counts lives.
type plodding struct {
	exec.Executor
	now *time.Time
}

func (p *plodding) Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	*p.now = p.now.Add(time.Duration(page.Size) * 3 * time.Millisecond)
	return p.Executor.Read(ctx, r, page, args...)
}

// However large pages are, what expires in them is read in pages small enough to
// tell when.
func TestLivesInLargePages(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_400)
	clock := func() time.Time { return now }
	state := memory.NewState()
	state.Now = clock
	server := &plodding{Executor: memory.NewExecutor(state, cql.Traits{TTL: true}), now: &now}
	w, err := records.NewWriter(server, records.WriterOptions{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	queue := records.Record{
		Kind: records.TaskQueue, Unit: records.QueueUnit(id(1), "q", 1), Key: []any{id(1), "q", int64(1)},
		Values: []any{int64(1), blob("queue")},
	}
	const tasks = 3000
	all, expires := []records.Record{queue}, now.Add(5*time.Hour).UnixMilli()
	for i := range int64(tasks) {
		all = append(all, records.Record{
			Kind: records.Task, Unit: queue.Unit, Key: []any{id(1), "q", int64(1), int64(0), i},
			Values: []any{blob("task")}, Expires: expires,
		})
	}
	if err := w.Put(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	src, err := records.NewSource(server, records.Options{Shards: 1, Now: clock, PageRows: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, p := range src.Parts(1) {
		if err := src.All(t.Context(), p, func(r *records.Record) error {
			if r.Kind != records.Task {
				return nil
			}
			read++
			if apart := r.Expires - expires; apart > 1000 || apart < -2000 {
				t.Fatalf("%s expires %d ms off", r.KeyString(), apart)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if read != tasks {
		t.Fatalf("%d of %d tasks were read", read, tasks)
	}
}

// However long requests take, a queue that is held and released lives as long as it
// would have.
func TestLivesOfQueuesOnSlowServers(t *testing.T) {
	const late = 5 * time.Second
	for _, lags := range [][]time.Duration{
		nil,
		{late},                         // before the row is read
		{0, late, 0, late},             // while it is
		{0, 0, late},                   // before it is written
		{0, 0, 0, late},                // after that
		{0, 0, late, 0, 0, 0, late},    // twice
		{0, 0, late, 0, late, 0, late}, // and what was written is slow to read
	} {
		now := time.UnixMilli(1_700_000_000_400)
		clock := func() time.Time { return now }
		state := memory.NewState()
		state.Now = clock
		server := &lagging{Executor: memory.NewExecutor(state, cql.Traits{TTL: true}), now: &now}
		w, err := records.NewWriter(server, records.WriterOptions{Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		src, err := records.NewSource(server, records.Options{Shards: 1, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		queue := records.Record{
			Kind: records.TaskQueue, Unit: records.QueueUnit(id(1), "q", 1), Key: []any{id(1), "q", int64(1)},
			Values: []any{int64(1), blob("queue")}, Expires: now.Add(time.Hour).UnixMilli(),
		}
		if err := w.Put(t.Context(), []records.Record{queue}); err != nil {
			t.Fatal(err)
		}
		for what, do := range map[string]func(context.Context, records.Ref) error{"held": w.HoldQueue, "released": w.ReleaseQueue} {
			server.lags = lags
			if err := do(t.Context(), queue.Ref()); err != nil {
				t.Fatal(err)
			}
			server.lags = nil
			got, err := src.Get(t.Context(), queue.Ref())
			if err != nil || got == nil {
				t.Fatal(got, err)
			}
			if apart := got.Expires - queue.Expires; apart > records.ExpiryTolerance || apart < -records.ExpiryTolerance {
				t.Errorf("with lags %v: %s, it expires %d ms off", lags, what, apart)
			}
		}
	}
}
