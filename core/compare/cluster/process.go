package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"github.com/temporal-ycql/temporal-ycql/core/compare/machine"
)

// procTick is the unit of processor times in /proc: 1/100 s wherever Linux runs Go.
const procTick = 10 * time.Millisecond

// cpuOf returns the user and system time of a process, from /proc.
func cpuOf(pid int) (time.Duration, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
	}
	stat, err := p.Stat()
	if err != nil {
		return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
	}
	return time.Duration(stat.UTime+stat.STime) * procTick, nil
}

// residentOf returns the resident memory of a process in bytes.
func residentOf(pid int) (int64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	stat, err := p.Stat()
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	return int64(stat.ResidentMemory()), nil
}

// cpuOfTree returns the processor time of a process and all below it, those that
// have ended included: PostgreSQL has a process for each connection.
func cpuOfTree(pid int) (time.Duration, error) {
	if _, err := cpuOf(pid); err != nil {
		return 0, err // machine.CPU does not tell one that is gone from an idle one
	}
	return machine.CPU(pid), nil
}

// allocated is what a Go process has allocated since it started.
type allocated struct {
	objects, bytes int64
}

// allocationsOf asks a process's pprof endpoint, whose profile of allocations ends
// with the counters of runtime.MemStats. (The server's metrics hold what is in use,
// not what was allocated.)
func allocationsOf(ctx context.Context, address string) (allocated, error) {
	url := "http://" + address + "/debug/pprof/allocs?debug=1"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return allocated{}, fmt.Errorf("read allocations: %w", err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return allocated{}, fmt.Errorf("read allocations: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	if answer.StatusCode != http.StatusOK {
		return allocated{}, fmt.Errorf("read allocations: %s answers %s", url, answer.Status)
	}
	return parseAllocations(bufio.NewScanner(answer.Body))
}

func parseAllocations(lines *bufio.Scanner) (a allocated, err error) {
	lines.Buffer(nil, 1<<20)
	found := 0
	for lines.Scan() {
		for name, to := range map[string]*int64{"# TotalAlloc = ": &a.bytes, "# Mallocs = ": &a.objects} {
			if text, ok := strings.CutPrefix(lines.Text(), name); ok {
				if *to, err = strconv.ParseInt(text, 10, 64); err != nil {
					return a, fmt.Errorf("read allocations: %w", err)
				}
				found++
			}
		}
	}
	if err := lines.Err(); err != nil {
		return a, fmt.Errorf("read allocations: %w", err)
	}
	if found != 2 {
		return a, errors.New("read allocations: the profile lacks its counters")
	}
	return a, nil
}

// lineWidth is how much of a line of log an error repeats.
const lineWidth = 300

// tail returns the last lines of a log, joined by " | ": without stacks, which tell a
// user nothing, and none longer than lineWidth.
func tail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		line, _, _ = strings.Cut(line, `,"stacktrace":`)
		all[i] = line[:min(len(line), lineWidth)]
	}
	return strings.Join(all, " | ")
}
