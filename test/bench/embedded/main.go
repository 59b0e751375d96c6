// Command embedded turns the output of "go test -bench" on its standard input into
// JSON on its standard output, with the date, the machine and the versions that the
// figures belong to.
//
//	go test -run '^$' -bench . -benchmem ./backends/embedded/engine | go run ./test/bench/embedded -note "idle machine"
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

type report struct {
	Date string `json:"date"` // of the run, UTC
	Go   string `json:"go"`
	CPU  string `json:"cpu"`
	CPUs int    `json:"cpus"`
	// Load is the number of processes that ran or wanted to in the minute before the
	// end of the run, those of the benchmark included.
	Load       string   `json:"load1"`
	Note       string   `json:"note,omitempty"`
	Benchmarks []result `json:"benchmarks"`
}

type result struct {
	Package string             `json:"package"`
	Name    string             `json:"name"`
	Runs    int                `json:"runs"`
	Metrics map[string]float64 `json:"metrics"` // by unit, e.g. "ns/op"
}

func main() {
	note := flag.String("note", "", "what to know about the run, e.g. what else the machine did")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *note); err != nil {
		fmt.Fprintln(os.Stderr, "embedded:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, note string) error {
	r, err := read(in)
	if err != nil {
		return err
	}
	r.Date, r.Go, r.CPUs, r.Note = time.Now().UTC().Format(time.RFC3339), runtime.Version(), runtime.NumCPU(), note
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		r.Load, _, _ = strings.Cut(string(b), " ")
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// read takes the lines of benchmarks; a failed one is an error, and so is none.
func read(in io.Reader) (*report, error) {
	r := &report{}
	pkg := ""
	s := bufio.NewScanner(in)
	for s.Scan() {
		line := s.Text()
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "pkg: "):
			pkg = line[5:]
		case strings.HasPrefix(line, "cpu: "):
			r.CPU = line[5:]
		case strings.HasPrefix(strings.TrimSpace(line), "--- FAIL"), strings.HasPrefix(line, "FAIL"):
			return nil, fmt.Errorf("read the benchmarks: %q: fix it and run again", line)
		case len(f) >= 4 && strings.HasPrefix(f[0], "Benchmark"):
			b, err := parse(f)
			if err != nil {
				return nil, fmt.Errorf("read %q: %w", line, err)
			}
			b.Package = pkg
			r.Benchmarks = append(r.Benchmarks, b)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read the benchmarks: %w", err)
	}
	if len(r.Benchmarks) == 0 {
		return nil, fmt.Errorf("read the benchmarks: there are none: give the output of go test -bench")
	}
	return r, nil
}

func parse(f []string) (result, error) {
	b := result{Name: strings.TrimPrefix(f[0], "Benchmark"), Metrics: map[string]float64{}}
	var err error
	if b.Runs, err = strconv.Atoi(f[1]); err != nil {
		return b, err
	}
	for i := 2; i+1 < len(f); i += 2 {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil {
			return b, err
		}
		b.Metrics[f[i+1]] = v
	}
	return b, nil
}
