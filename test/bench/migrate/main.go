// Command migrate measures a migration from Apache Cassandra to the embedded
// engine's ycql: the commands as an operator runs them, each a process of its own.
//
//	migrate [-executions 10000,100000] [-shards 64] [-node HOST:PORT] [-dir DIR] [-out FILE]
//
// For each number of executions it makes a keyspace of a corpus (histories, tasks,
// queues and so on go with the executions), reads it once without doing anything
// with what was read, and then runs init, copy, verify --level content, verify
// --level meaning and switch. The result, as JSON: for each of them the records,
// the time, records a second, processor time and the most resident memory.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	ex "github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/test/bench/result"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

type options struct {
	executions []int
	shards     int
	node, dir  string
	out        string
}

// Step is what one command took.
type Step struct {
	Name          string  `json:"name"`
	Records       int64   `json:"records"`
	Seconds       float64 `json:"seconds"`
	RecordsPerSec float64 `json:"recordsPerSecond"`
	CPUSeconds    float64 `json:"cpuSeconds,omitempty"` // of the command, the embedded target included
	MostMegabytes float64 `json:"mostMegabytes,omitempty"`
}

// Size is one deployment.
type Size struct {
	Executions int     `json:"executions"`
	Records    int64   `json:"records"`
	Megabytes  float64 `json:"megabytes"`
	Steps      []Step  `json:"steps"`
}

// Result is the whole of it.
type Result struct {
	Date   time.Time `json:"date"`
	Server string    `json:"source"`
	Shards int       `json:"shards"`
	Sizes  []Size    `json:"sizes"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var sizes string
	flags := flag.NewFlagSet("migrate", flag.ExitOnError)
	flags.StringVar(&sizes, "executions", "10000,100000", "numbers of executions")
	flags.IntVar(&o.shards, "shards", 64, "history shards")
	flags.StringVar(&o.node, "node", os.Getenv(cassandratest.SharedEnv), "a Cassandra that runs; empty starts one")
	flags.StringVar(&o.dir, "dir", "", "directory for the target; empty is a temporary one")
	flags.StringVar(&o.out, "out", "", "file for the result")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for _, text := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-executions %q: want numbers", sizes)
		}
		o.executions = append(o.executions, n)
	}
	return o, nil
}

func run(ctx context.Context, o options) (err error) {
	binary, err := harness.OwnServer(ctx)
	if err != nil {
		return err
	}
	var node *cassandratest.Node
	if o.node != "" {
		node, err = cassandratest.External(o.node)
	} else {
		node, err = cassandratest.Launch(ctx)
	}
	if err != nil {
		return err
	}
	if o.node == "" {
		defer func() { err = errors.Join(err, node.Stop()) }()
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "bench-migrate-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.dir)
	}
	r := Result{Date: time.Now().UTC().Truncate(time.Second), Shards: o.shards}
	for _, n := range o.executions {
		s, server, err := measure(ctx, o, binary, node, n)
		if err != nil {
			return fmt.Errorf("%d executions: %w", n, err)
		}
		r.Server = server
		r.Sizes = append(r.Sizes, s)
	}
	return result.Write(o.out, r)
}

// measure makes a deployment and moves it.
func measure(ctx context.Context, o options, binary string, node *cassandratest.Node, n int) (s Size, server string, err error) {
	keyspace := cassandratest.UniqueName()
	parsed, err := cassandra.New().ParseOptions(map[string]any{"hosts": node.Addr(), "keyspace": keyspace})
	if err != nil {
		return s, "", err
	}
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	admin, err := parsed.OpenAdmin(ctx, env)
	if err != nil {
		return s, "", err
	}
	defer func() {
		dropping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, admin.Exec(dropping, "DROP KEYSPACE IF EXISTS "+keyspace), admin.Close())
	}()
	tool := &schema.Tool{Admin: admin, Set: schema.Cassandra(), Keyspace: keyspace, Out: io.Discard}
	if err := errors.Join(tool.Create(ctx, schema.Replication{}), tool.Update(ctx)); err != nil {
		return s, "", err
	}
	conn, err := parsed.Open(ctx, env)
	if err != nil {
		return s, "", err
	}
	defer func() { err = errors.Join(err, conn.Session.Close()) }()
	runner := ex.New(conn.Session, conn.Dialect, nil)
	s = Size{Executions: n}
	begin := time.Now()
	if err := fill(ctx, runner, o.shards, n); err != nil {
		return s, "", fmt.Errorf("make the source: %w", err)
	}
	progress("%d executions: the source was made in %s", n, time.Since(begin).Round(time.Second))
	read, err := readAll(ctx, runner, o.shards, &s)
	if err != nil {
		return s, "", fmt.Errorf("read the source: %w", err)
	}
	s.Records = read.Records
	s.Steps = append(s.Steps, read)
	m, err := configure(o, node, keyspace, n)
	if err != nil {
		return s, "", err
	}
	m.binary = binary
	for _, step := range []struct {
		name    string
		records int64
		args    []string
	}{
		{"init", 0, []string{"init", "--fence", "--settle", "100ms"}},
		{"copy", s.Records, []string{"copy"}},
		{"verify content", 2 * s.Records, []string{"verify", "--level", "content"}},
		{"verify meaning", 2 * s.Records, []string{"verify"}},
		{"switch", 0, []string{"switch"}},
	} {
		done, err := m.step(ctx, step.name, step.records, step.args...)
		if err != nil {
			return s, "", err
		}
		s.Steps = append(s.Steps, done)
	}
	return s, conn.Server, os.RemoveAll(m.dir)
}

// fill writes a corpus, a piece at a time.
func fill(ctx context.Context, runner *ex.Runner, shards, n int) error {
	w, err := records.NewWriter(runner, records.WriterOptions{Concurrency: 32})
	if err != nil {
		return err
	}
	for shard := range int64(shards) {
		if err := w.Hold(ctx, shard+1); err != nil {
			return err
		}
	}
	const piece = 2000
	for at := 0; at < n; at += piece {
		all := corpus.Make(corpus.Options{
			Seed: uint64(at) + 1, Shards: int32(shards), Workflows: min(piece, n-at), Queues: 20, Backlog: 100, Whole: true,
		})
		if err := w.Put(ctx, all); err != nil {
			return err
		}
		if at%20_000 == 0 {
			progress("%d of %d executions were made", at, n)
		}
	}
	for shard := range int64(shards) {
		if err := w.Release(ctx, shard+1); err != nil {
			return err
		}
	}
	return nil
}

// readAll reads the source as copy does, and drops what it reads.
func readAll(ctx context.Context, runner *ex.Runner, shards int, s *Size) (Step, error) {
	src, err := records.NewSource(runner, records.Options{Shards: int32(shards), FromAckLevel: true, SkipGarbage: true})
	if err != nil {
		return Step{}, err
	}
	parts := make(chan records.Part)
	go func() {
		defer close(parts)
		for _, p := range src.Parts(32) {
			select {
			case parts <- p:
			case <-ctx.Done():
				return
			}
		}
	}()
	var rows, size atomic.Int64
	var mu sync.Mutex
	var failed error
	begin := time.Now()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for p := range parts {
				err := src.All(ctx, p, func(r *records.Record) error {
					rows.Add(1)
					size.Add(int64(r.Size()))
					return nil
				})
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begin).Seconds()
	s.Megabytes = float64(size.Load()) / 1e6
	return Step{Name: "read the source alone", Records: rows.Load(), Seconds: took, RecordsPerSec: float64(rows.Load()) / took}, failed
}

// mover runs the commands.
type mover struct{ binary, dir, from, to string }

func configure(o options, node *cassandratest.Node, keyspace string, n int) (*mover, error) {
	m := &mover{dir: filepath.Join(o.dir, strconv.Itoa(n))}
	if err := os.MkdirAll(m.dir, 0o750); err != nil {
		return nil, err
	}
	for _, x := range []struct {
		into             *string
		sample, database string
		options          map[string]any
	}{
		{&m.from, "cassandra.yaml", "cassandra", map[string]any{"hosts": net.JoinHostPort(node.Host, strconv.Itoa(node.Port)), "keyspace": keyspace}},
		{&m.to, "embedded.yaml", "embedded", map[string]any{"dataDir": filepath.Join(m.dir, "engine"), "dialect": "ycql"}},
	} {
		text, err := os.ReadFile(filepath.Join(harness.Root(), "config", x.sample))
		if err != nil {
			return nil, err
		}
		all := map[string]any{}
		if err := yaml.Unmarshal(text, &all); err != nil {
			return nil, err
		}
		all["backends"] = map[string]any{x.database: x.options}
		persistence, ok := all["persistence"].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s has no persistence", x.sample)
		}
		persistence["numHistoryShards"] = o.shards
		if text, err = yaml.Marshal(all); err != nil {
			return nil, err
		}
		*x.into = filepath.Join(m.dir, x.sample)
		if err := os.WriteFile(*x.into, text, 0o600); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *mover) step(ctx context.Context, name string, rows int64, args ...string) (Step, error) {
	args = append(append([]string{"migrate"}, args...), "--from", m.from, "--to", m.to, "--state", filepath.Join(m.dir, "state"), "--quiet")
	cmd := exec.CommandContext(ctx, m.binary, args...)
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(begin).Seconds()
	if err != nil {
		return Step{}, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	s := Step{Name: name, Records: rows, Seconds: took, RecordsPerSec: float64(rows) / took}
	s.CPUSeconds = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.MostMegabytes = float64(usage.Maxrss) / 1024 // Linux counts kilobytes
	}
	text, err := json.Marshal(s)
	progress("%s", text)
	return s, err
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
