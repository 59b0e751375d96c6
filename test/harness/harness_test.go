package harness

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"testing"
	"time"
)

func TestFreePortsAreFreeOnAllHostsAndBelowTheEphemeralRange(t *testing.T) {
	hosts := []string{"127.0.0.1"}
	p, err := newPorts(hosts)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]string{}
	for name, port := range p {
		if port >= 32768 {
			t.Errorf("%s has port %d, which an outgoing connection may take", name, port)
		}
		if other, ok := seen[port]; ok {
			t.Errorf("%s and %s share port %d", name, other, port)
		}
		seen[port] = name
		l, err := net.Listen("tcp", net.JoinHostPort(hosts[0], strconv.Itoa(port)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		l.Close()
	}
}

func TestCPUOfAProcessGrowsWithWork(t *testing.T) {
	before, err := cpuOf(os.Getpid())
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no /proc here")
	}
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(2 * time.Minute) // on a machine that is busy the work may have to wait
	for {
		after, err := cpuOf(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after > before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("two minutes of work left the processor time at %s", after)
		}
	}
}

func TestTail(t *testing.T) {
	if got := tail("a\nb\nc\n", 2); got != "b\nc" {
		t.Errorf("tail = %q", got)
	}
	if got := tail("a", 5); got != "a" {
		t.Errorf("tail of a short text = %q", got)
	}
}
