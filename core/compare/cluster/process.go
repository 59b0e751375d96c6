package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// procTick is the unit of processor times in /proc: 1/100 s wherever Linux runs Go.
const procTick = 10 * time.Millisecond

// errNoListener says that no process of this machine that we may look at listens
// at an address: whoever answers there is on another machine or another user's.
var errNoListener = errors.New("no process on this machine that can be looked at listens there")

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

// cpuOfTree returns the processor time of a process with its children, those that
// have ended included: PostgreSQL has a process for each connection.
func cpuOfTree(pid int) (time.Duration, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	var ticks uint
	found := false
	for _, p := range all {
		stat, err := p.Stat()
		if err != nil {
			continue // it has ended since
		}
		switch {
		case p.PID == pid:
			found = true
			ticks += stat.UTime + stat.STime + uint(max(0, stat.CUTime+stat.CSTime))
		case stat.PPID == pid:
			ticks += stat.UTime + stat.STime
		}
	}
	if !found {
		return 0, fmt.Errorf("read the processor time of process %d: %w", pid, fs.ErrNotExist)
	}
	return time.Duration(ticks) * procTick, nil
}

// listenerAt returns the process that listens at a TCP address of this machine.
func listenerAt(address string) (int, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, fmt.Errorf("find who listens at %q: %w", address, err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("find who listens at %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0, fmt.Errorf("%s: %w", address, errNoListener)
	}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, fmt.Errorf("find who listens at %s: %w", address, err)
	}
	sockets := map[string]bool{}
	const listening = 10       // TCP_LISTEN of the kernel's tcp_states.h
	v4, err4 := proc.NetTCP()  //nolint:staticcheck // netlink, which it advises, is for those who ask often
	v6, err6 := proc.NetTCP6() //nolint:staticcheck // the same
	if err4 != nil && err6 != nil {
		return 0, fmt.Errorf("find who listens at %s: %w", address, err4)
	}
	for _, line := range slices.Concat(v4, v6) {
		if line.St == listening && line.LocalPort == port {
			sockets[fmt.Sprintf("socket:[%d]", line.Inode)] = true
		}
	}
	all, err := procfs.AllProcs()
	if err != nil {
		return 0, fmt.Errorf("find who listens at %s: %w", address, err)
	}
	slices.SortFunc(all, func(a, b procfs.Proc) int { return a.PID - b.PID }) // parents first
	for _, p := range all {
		targets, err := p.FileDescriptorTargets()
		if err != nil {
			continue // it has ended, or is another user's
		}
		if slices.ContainsFunc(targets, func(t string) bool { return sockets[t] }) {
			return p.PID, nil
		}
	}
	return 0, fmt.Errorf("%s: %w", address, errNoListener)
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
