package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// reset begins to count anew.
func (t *tally) reset(parts int) {
	t.rows.Store(0)
	t.bytes.Store(0)
	t.done.Store(0)
	t.before.Store(0)
	t.parts.Store(int64(parts))
}

// Progress is what a verb that is at work says of itself, now and then.
type Progress struct {
	Verb  string    `json:"verb"`
	At    time.Time `json:"at"`
	Begun time.Time `json:"begun"`
	Rows  int64     `json:"rows"`
	Bytes int64     `json:"bytes"`
	// Parts in all and done; RowsPerSecond is the last period's.
	Parts         int64   `json:"parts"`
	Done          int64   `json:"done"`
	RowsPerSecond float64 `json:"rowsPerSecond"`
	Seconds       float64 `json:"secondsLeft"` // 0: not known yet
	// SourceP99 and TargetP99 are of a request's time, in milliseconds; Allowed how
	// many are sent side by side.
	SourceP99     float64 `json:"sourceP99Milliseconds"`
	TargetP99     float64 `json:"targetP99Milliseconds"`
	SourceAllowed int     `json:"sourceConcurrency"`
	TargetAllowed int     `json:"targetConcurrency"`
}

// reportEvery is how often progress is told and stored.
const reportEvery = 2 * time.Second

// progress tells how a verb gets on.
type progress struct {
	m    *Migration
	mu   sync.Mutex
	stop func()
}

// say prints a line about what is going on.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m.Progress != nil {
		_, _ = fmt.Fprintln(p.m.Progress, text)
	}
}

// begin tells of a verb until end is called.
func (p *progress) begin(verb string) {
	p.end()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	start := time.Now()
	begun := p.m.count.rows.Load()
	p.m.count.before.Store(p.m.count.done.Load())
	go func() {
		defer close(done)
		tick := time.NewTicker(reportEvery)
		defer tick.Stop()
		before, at := begun, start
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now := p.now(verb, start)
			now.RowsPerSecond = perSecond(before, now.Rows, time.Since(at))
			before, at = now.Rows, time.Now()
			p.say(now.String())
			if p.m.Metrics != nil {
				p.m.Metrics.set(now)
			}
			if text, err := json.Marshal(now); err == nil && p.m.state != nil {
				storing, stop := context.WithTimeout(ctx, reportEvery)
				_ = p.m.table.put(storing, itemProgress, string(text)) // for people; the next one may be stored
				stop()
			}
		}
	}()
	p.stop = func() { cancel(); <-done }
}

// perSecond is how many rows a second were counted, from before to now in all; counting
// may have begun anew in between.
func perSecond(before, now int64, in time.Duration) float64 {
	if now < before {
		before = 0
	}
	return float64(now-before) / in.Seconds()
}

// end stops telling.
func (p *progress) end() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
}

func (p *progress) now(verb string, begun time.Time) Progress {
	t := &p.m.count
	x := Progress{
		Verb: verb, At: time.Now().UTC().Truncate(time.Second), Begun: begun.UTC().Truncate(time.Second),
		Rows: t.rows.Load(), Bytes: t.bytes.Load(), Parts: t.parts.Load(), Done: t.done.Load(),
	}
	var a, b time.Duration
	x.SourceAllowed, a = p.m.from.flow.state()
	x.TargetAllowed, b = p.m.to.flow.state()
	x.SourceP99, x.TargetP99 = float64(a.Microseconds())/1000, float64(b.Microseconds())/1000
	if now := x.Done - t.before.Load(); now > 0 {
		x.Seconds = time.Since(begun).Seconds() / float64(now) * float64(x.Parts-x.Done)
	}
	return x
}

func (x Progress) String() string {
	left := "time left not known yet"
	if x.Seconds > 0 || x.Done == x.Parts {
		left = (time.Duration(x.Seconds) * time.Second).String() + " left"
	}
	return fmt.Sprintf("%s: %d of %d parts, %d rows, %.1f MB, %.0f rows/s, %s; p99 source %.1f ms (%d at a time), target %.1f ms (%d)",
		x.Verb, x.Done, x.Parts, x.Rows, float64(x.Bytes)/1e6, x.RowsPerSecond, left, x.SourceP99, x.SourceAllowed, x.TargetP99, x.TargetAllowed)
}
