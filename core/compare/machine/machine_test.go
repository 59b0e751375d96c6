package machine_test

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/core/compare/machine"
)

func linux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells who uses its processors")
	}
}

func TestDescribe(t *testing.T) {
	linux(t)
	m := machine.Describe()
	require.Equal(t, runtime.NumCPU(), m.Processors)
	require.Greater(t, m.Memory, int64(64<<20))
	require.Contains(t, m.System, "linux/")
}

// spin uses a processor for so long, in this process.
func spin(d time.Duration) {
	before := machine.CPU(os.Getpid())
	for machine.CPU(os.Getpid())-before < d {
		for range 1 << 16 {
			_ = time.Now()
		}
	}
}

func TestOwnTimeIsNotSomebodyElses(t *testing.T) {
	linux(t)
	before, err := machine.Read()
	require.NoError(t, err)
	spin(300 * time.Millisecond)
	after, err := machine.Read()
	require.NoError(t, err)
	require.GreaterOrEqual(t, after.Own-before.Own, 300*time.Millisecond)
	require.GreaterOrEqual(t, after.Busy-before.Busy, 250*time.Millisecond)
	// What is idle may be told as less than before (proc(5), iowait): by ticks.
	require.GreaterOrEqual(t, after.Total-before.Total, after.Busy-before.Busy-100*time.Millisecond)
}

func TestOthers(t *testing.T) {
	before := machine.Reading{Total: 10 * time.Second, Busy: 4 * time.Second, Own: time.Second}
	after := machine.Reading{Total: 20 * time.Second, Busy: 9 * time.Second, Own: 3 * time.Second}
	require.InDelta(t, 0.3, after.Others(before), 1e-9, "5 s busy, 2 s of them own, of 10 s")
	after.Own = 30 * time.Second
	require.Zero(t, after.Others(before), "ticks of several files do not add up to the last one")
	require.Zero(t, before.Others(before))
}

func TestChildrenAreOwn(t *testing.T) {
	linux(t)
	ctx := t.Context()
	child := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
	require.NoError(t, child.Start())
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	before, err := machine.Read()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := machine.Read()
		return err == nil && now.Own-before.Own >= 100*time.Millisecond
	}, 2*time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { return machine.CPU(child.Process.Pid) >= 100*time.Millisecond }, 2*time.Minute, 10*time.Millisecond)
}

func TestListener(t *testing.T) {
	linux(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	pid, ok := machine.Listener("127.0.0.1", port)
	require.True(t, ok)
	require.Equal(t, os.Getpid(), pid)
	_, ok = machine.Listener("192.0.2.1", port)
	require.False(t, ok, "another machine's")
	_, ok = machine.Listener("127.0.0.2", port)
	require.False(t, ok, "the same port of another address may be another process's")
	pid, ok = machine.Listener("localhost", port)
	require.True(t, ok)
	require.Equal(t, os.Getpid(), pid)
}
