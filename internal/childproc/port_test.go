package childproc_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// many is how many ports are asked for: so many would surely meet one twice if the
// choice were by chance alone.
const many = childproc.Reserved

func TestFreePortGivesNoneTwice(t *testing.T) {
	given := map[int]bool{}
	for range many {
		port, err := childproc.FreePort("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		if given[port] {
			t.Fatalf("port %d was given twice, and nobody had the time to listen on it", port)
		}
		given[port] = true
	}
	// Another process, as long as this one lives, gets none of them either.
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), portsEnv+"=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := 0
	for scan := bufio.NewScanner(strings.NewReader(string(out))); scan.Scan(); theirs++ {
		var port int
		if _, err := fmt.Sscan(scan.Text(), &port); err != nil {
			t.Fatal(err)
		}
		if given[port] {
			t.Errorf("port %d was given to two processes", port)
		}
	}
	if theirs != many {
		t.Errorf("the other process got %d ports, want %d", theirs, many)
	}
}

// printPorts is what the other process does.
func printPorts() int {
	for range many {
		port, err := childproc.FreePort("127.0.0.1")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(port)
	}
	return 0
}

func TestFreePortNeedsAHost(t *testing.T) {
	if _, err := childproc.FreePort(); err == nil {
		t.Error("a port was found on no host")
	}
	if _, err := childproc.FreePort("192.0.2.1"); err == nil || !strings.Contains(err.Error(), "192.0.2.1") {
		t.Errorf("error = %v, want one with the host that is not of this machine", err)
	}
}
