// Package machine says where a comparison ran and who used the processors
// meanwhile. It knows Linux; elsewhere it says so and counts nothing.
package machine

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// tick is the unit of times in /proc. It is 1/100 s wherever Linux runs Go.
const tick = 10 * time.Millisecond

// ErrUnknown is returned where the system does not tell.
var ErrUnknown = errors.New("this system does not tell who uses its processors")

// Describe tells what the machine is. What the system does not say is left out.
func Describe() result.Machine {
	m := result.Machine{System: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.NumCPU()}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + strings.TrimSpace(string(release))
	}
	m.Processor = field("/proc/cpuinfo", "model name")
	if kib, err := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = kib << 10
	}
	if clock, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource"); err == nil {
		m.Clock = strings.TrimSpace(string(clock))
	}
	return m
}

// field returns the first value of a name in a file of "name : value" lines.
func field(path, name string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Reading is how the processors' time has been spent since the system started.
type Reading struct {
	At time.Time
	// Total is the time of all processors, Busy what was not idle, Own what this
	// process, its children and those that were named took of it.
	Total, Busy, Own time.Duration
}

// Read reads the clock of the processors. pids are processes that count as own,
// with their children, beside this one.
func Read(pids ...int) (Reading, error) {
	r := Reading{At: time.Now()}
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	fields := strings.Fields(line)
	// cpu user nice system idle iowait irq softirq steal guest guest_nice; guests are
	// in user and nice already (proc(5)).
	if len(fields) < 9 || fields[0] != "cpu" {
		return r, fmt.Errorf("%w: unexpected %q in /proc/stat", ErrUnknown, line)
	}
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return r, fmt.Errorf("%w: unexpected %q in /proc/stat", ErrUnknown, line)
		}
		d := time.Duration(n) * tick
		r.Total += d
		if i != 3 && i != 4 {
			r.Busy += d
		}
	}
	r.Own = own(append([]int{os.Getpid()}, pids...))
	return r, nil
}

// Others is the share of all processors that other processes took from before to r.
func (r Reading) Others(before Reading) float64 {
	total := r.Total - before.Total
	if total <= 0 {
		return 0
	}
	others := (r.Busy - before.Busy) - (r.Own - before.Own)
	return min(1, max(0, float64(others)/float64(total)))
}

type process struct {
	parent int
	time   time.Duration // its own, and that of children that have been waited for
}

// own sums up the time of processes and everything below them.
func own(roots []int) time.Duration {
	all := map[int]process{}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0
	}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok {
			all[pid] = p
		}
	}
	var sum time.Duration
	for pid, p := range all {
		for at, hops := pid, 0; at > 0 && hops < 100; at, hops = all[at].parent, hops+1 {
			if contains(roots, at) {
				sum += p.time
				break
			}
		}
	}
	return sum
}

func contains(list []int, n int) bool {
	for _, x := range list {
		if x == n {
			return true
		}
	}
	return false
}

func readProcess(pid int) (process, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false // it has ended
	}
	// The second field, a name in brackets, may hold spaces. The parent is the 4th,
	// utime, stime, cutime and cstime are the 14th to 17th, see proc(5).
	i := bytes.LastIndexByte(data, ')')
	fields := strings.Fields(string(data[i+1:]))
	if i < 0 || len(fields) < 15 {
		return process{}, false
	}
	var p process
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return process{}, false
	}
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return process{}, false
		}
		p.time += time.Duration(n) * tick
	}
	return p, true
}

// Self is this process.
func Self() int { return os.Getpid() }

// CPU is the processor time that processes and their children have taken so far.
func CPU(pids ...int) time.Duration { return own(pids) }

// Listener finds the process of this machine that listens on a TCP address of the
// loopback interface; false if the address is another machine's, or the process is
// one that this user may not look at.
func Listener(host string, port int) (pid int, ok bool) {
	ips, err := net.LookupIP(host) //nolint:noctx // names of this machine alone are of use here
	if err != nil || len(ips) == 0 || !ips[0].IsLoopback() {
		return 0, false
	}
	inode := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(data), "\n") {
			f := strings.Fields(line)
			// local_address is hexadecimal, st 0A is LISTEN, the 10th field the inode.
			if len(f) < 10 || f[3] != "0A" {
				continue
			}
			_, p, _ := strings.Cut(f[1], ":")
			if raw, err := hex.DecodeString(p); err == nil && len(raw) == 2 && int(raw[0])<<8|int(raw[1]) == port {
				inode = f[9]
			}
		}
	}
	if inode == "" {
		return 0, false
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, false
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == "socket:["+inode+"]" {
			pid, err := strconv.Atoi(strings.Split(link, "/")[2])
			return pid, err == nil
		}
	}
	return 0, false
}
