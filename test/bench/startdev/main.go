// Command startdev measures what a user of start-dev waits for and gives up: the
// time until it is ready, the memory that it holds, and the time until it has
// stopped.
//
//	startdev [-runs 5] [-workflows 1000] [-in-flight 16] [-out FILE]
//
// For each dialect, on disk and in memory: so many runs one after the other, those
// on disk alternately in a new directory and again in that one. Ready is when the
// block of addresses is printed, at which all namespaces can be used. Memory is
// resident memory, when ready and after so many workflows of one activity, whose
// worker is in this process.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/test/bench/result"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// readyLimit bounds one start, loadLimit the workflows of one run.
const (
	readyLimit = time.Minute
	loadLimit  = 5 * time.Minute
	stopLimit  = time.Minute
)

// run is one run of a server.
type run struct {
	Dialect string `json:"dialect"`
	// Data is "new directory", "same directory" or "memory".
	Data        string  `json:"data"`
	ReadyMillis float64 `json:"ready_ms"`
	StopMillis  float64 `json:"stop_ms"`
	// Resident memory in MiB when ready and after the workflows.
	ReadyMiB  float64 `json:"resident_ready_mib"`
	LoadedMiB float64 `json:"resident_loaded_mib"`
	PerSecond float64 `json:"workflows_per_second"`
}

type report struct {
	Date       time.Time `json:"date"`
	Go         string    `json:"go"`
	Processors int       `json:"processors"`
	Load       string    `json:"load_before"` // /proc/loadavg: what else ran
	Workflows  int       `json:"workflows"`
	InFlight   int       `json:"in_flight"`
	Runs       []run     `json:"runs"`
}

type bench struct {
	binary              string
	workflows, inFlight int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	runs := flag.Int("runs", 5, "runs of each kind")
	workflows := flag.Int("workflows", 1000, "workflows of each run")
	inFlight := flag.Int("in-flight", 16, "workflows at a time")
	out := flag.String("out", "", "file for the result; standard output when empty")
	flag.Parse()
	if err := measure(ctx, *runs, *workflows, *inFlight, *out); err != nil {
		fmt.Fprintln(os.Stderr, "startdev:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, runs, workflows, inFlight int, out string) error {
	binary, err := harness.OwnServer(ctx)
	if err != nil {
		return err
	}
	b := &bench{binary, workflows, inFlight}
	load, _ := os.ReadFile("/proc/loadavg") // Linux only
	r := report{
		Date: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), Processors: runtime.NumCPU(),
		Load: strings.TrimSpace(string(load)), Workflows: workflows, InFlight: inFlight,
	}
	dir, err := os.MkdirTemp("", "startdev-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	for i := range runs {
		for _, dialect := range []string{"ycql", "cassandra"} {
			data := filepath.Join(dir, dialect+strconv.Itoa(i))
			for _, kind := range []string{"new directory", "same directory", "memory"} {
				flags := []string{"--dialect", dialect, "--data-dir", data}
				if kind == "memory" {
					flags = []string{"--dialect", dialect, "--ephemeral"}
				}
				one, err := b.run(ctx, flags)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", dialect, kind, err)
				}
				one.Dialect, one.Data = dialect, kind
				r.Runs = append(r.Runs, one)
				fmt.Fprintf(os.Stderr, "%-9s %-14s ready in %4.0f ms with %3.0f MiB, %3.0f MiB after the workflows (%.0f/s), stopped in %4.0f ms\n",
					dialect, kind, one.ReadyMillis, one.ReadyMiB, one.LoadedMiB, one.PerSecond, one.StopMillis)
			}
		}
	}
	return result.Write(out, r)
}

func millis(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

// run starts a server, loads it and stops it.
func (b *bench) run(ctx context.Context, flags []string) (out run, err error) {
	port, err := harness.FreePort()
	if err != nil {
		return out, err
	}
	ui, err := harness.FreePort()
	if err != nil {
		return out, err
	}
	cmd := exec.Command(b.binary, append([]string{"start-dev", "--port", strconv.Itoa(port), "--ui-port", strconv.Itoa(ui)}, flags...)...)
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, os.Stderr
	began := time.Now()
	p, err := childproc.Start(cmd)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, p.Kill(), writer.Close()) }()
	ready := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			if strings.HasSuffix(lines.Text(), " is ready") {
				close(ready)
			}
		}
	}()
	select {
	case <-ready:
		out.ReadyMillis = millis(began)
	case <-p.Done():
		return out, fmt.Errorf("the server ended: %w", p.Wait())
	case <-time.After(readyLimit):
		return out, errors.New("the server does not get ready")
	case <-ctx.Done():
		return out, ctx.Err()
	}
	if out.ReadyMiB, err = mebibytes(p.Pid()); err != nil {
		return out, err
	}
	began = time.Now()
	if err := b.load(ctx, "127.0.0.1:"+strconv.Itoa(port)); err != nil {
		return out, err
	}
	out.PerSecond = float64(b.workflows) / time.Since(began).Seconds()
	if out.LoadedMiB, err = mebibytes(p.Pid()); err != nil {
		return out, err
	}
	began = time.Now()
	if err := p.Stop(stopLimit); err != nil {
		return out, err
	}
	out.StopMillis = millis(began)
	return out, p.Wait()
}

func mebibytes(pid int) (float64, error) {
	n, err := harness.Resident(pid)
	return float64(n) / (1 << 20), err
}

func echo(_ context.Context, v string) (string, error) { return v, nil }

func echoing(ctx workflow.Context, v string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	err := workflow.ExecuteActivity(ctx, echo, v).Get(ctx, &v)
	return v, err
}

// load runs the workflows, so many at a time.
func (b *bench) load(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	c, err := client.Dial(client.Options{HostPort: address, Logger: harness.Quiet()})
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	defer c.Close()
	const queue = "startdev"
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(echoing)
	w.RegisterActivity(echo)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	defer w.Stop()
	ids, ends := make(chan int), make(chan error, b.inFlight)
	for range b.inFlight {
		go func() {
			var err error
			for i := range ids {
				if err == nil {
					err = one(ctx, c, queue, i)
				}
			}
			ends <- err
		}()
	}
	for i := range b.workflows {
		ids <- i
	}
	close(ids)
	var faults []error
	for range b.inFlight {
		faults = append(faults, <-ends)
	}
	return errors.Join(faults...)
}

func one(ctx context.Context, c client.Client, queue string, i int) error {
	r, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: queue, ID: "startdev-" + strconv.Itoa(i)}, echoing, "payload")
	if err != nil {
		return fmt.Errorf("start workflow %d: %w", i, err)
	}
	return r.Get(ctx, nil)
}
