// Package machine says where a comparison ran and who used the processors
// meanwhile. It knows Linux; elsewhere it says so and counts nothing.
package machine

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// tick is the unit of all times in /proc. It is 1/100 s wherever Linux runs Go.
const tick = 10 * time.Millisecond

// ErrUnknown is returned where the system does not tell.
var ErrUnknown = errors.New("this system does not tell who uses its processors")

// Describe tells what the machine is. What the system does not say is left out.
func Describe() result.Machine {
	m := result.Machine{
		System: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.NumCPU(),
		Clock: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
	}
	if release := line("/proc/sys/kernel/osrelease"); release != "" {
		m.System += " " + release
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return m
	}
	if cpus, err := fs.CPUInfo(); err == nil && len(cpus) > 0 {
		m.Processor = cpus[0].ModelName
	}
	if memory, err := fs.Meminfo(); err == nil && memory.MemTotalBytes != nil {
		m.Memory = int64(*memory.MemTotalBytes)
	}
	return m
}

func line(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
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
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	stat, err := fs.Stat()
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	c := stat.CPUTotal
	// Guests are in user and nice already (proc(5)).
	busy := c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ + c.Steal
	r.Busy, r.Total = seconds(busy), seconds(busy+c.Idle+c.Iowait)
	r.Own = CPU(append([]int{Self()}, pids...)...)
	return r, nil
}

// seconds is a time of /proc/stat, or a sum of some: whole ticks, whatever fractions
// do not add up.
func seconds(s float64) time.Duration {
	return time.Duration(math.Round(s*float64(time.Second/tick))) * tick
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

// Self is this process.
func Self() int { return os.Getpid() }

// CPU is the processor time that processes and everything below them have taken so
// far, children that have ended included; 0 where the system does not tell.
func CPU(roots ...int) time.Duration {
	procs, err := procfs.AllProcs()
	if err != nil {
		return 0
	}
	parents, ticks := map[int]int{}, map[int]uint{}
	for _, p := range procs {
		stat, err := p.Stat()
		if err != nil {
			continue // it has ended
		}
		parents[p.PID] = stat.PPID
		ticks[p.PID] = stat.UTime + stat.STime + uint(max(0, stat.CUTime+stat.CSTime))
	}
	var sum uint
	for pid := range parents {
		for at, known := pid, true; known && at > 0; at, known = parents[at] {
			if slices.Contains(roots, at) {
				sum += ticks[pid]
				break
			}
		}
	}
	return time.Duration(sum) * tick
}

// Listener finds the process of this machine that listens on a TCP address of the
// loopback interface; false if the address is another machine's, or the process is
// one that this user may not look at.
func Listener(host string, port int) (pid int, ok bool) {
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0, false
	}
	reaches := func(local net.IP) bool {
		return local.IsUnspecified() || local.Equal(ip) || ip == nil && local.IsLoopback()
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, false
	}
	const listening = 10  // TCP_LISTEN of the kernel's tcp_states.h
	v4, _ := fs.NetTCP()  //nolint:staticcheck // netlink, which it advises, is for those who ask often
	v6, _ := fs.NetTCP6() //nolint:staticcheck // the same; one of the two may not be there
	var sockets []string
	for _, l := range slices.Concat(v4, v6) {
		if l.St == listening && l.LocalPort == uint64(port) && reaches(l.LocalAddr) {
			sockets = append(sockets, fmt.Sprintf("socket:[%d]", l.Inode))
		}
	}
	procs, err := procfs.AllProcs()
	if err != nil || len(sockets) == 0 {
		return 0, false
	}
	slices.SortFunc(procs, func(a, b procfs.Proc) int { return cmp.Compare(a.PID, b.PID) }) // parents first
	for _, p := range procs {
		targets, err := p.FileDescriptorTargets()
		if err != nil {
			continue // it has ended, or is another user's
		}
		if slices.ContainsFunc(targets, func(t string) bool { return slices.Contains(sockets, t) }) {
			return p.PID, true
		}
	}
	return 0, false
}
