package childproc_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// What the test binary plays: the parent that is killed, and another process that
// asks for ports.
const (
	parentEnv = "CHILDPROC_PARENT"
	portsEnv  = "CHILDPROC_PORTS"
)

func TestMain(m *testing.M) {
	if os.Getenv(portsEnv) != "" {
		os.Exit(printPorts())
	}
	if dir := os.Getenv(parentEnv); dir != "" {
		p, err := childproc.Start(exec.Command("sleep", "600"))
		if err != nil || p.RemoveAfter(dir) != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString(strconv.Itoa(p.Pid()) + "\n")
		_ = p.Wait()
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestStopWaitsForTheEndAndKillsTheStubborn(t *testing.T) {
	tests := []struct {
		name    string
		give    string // a shell's script
		grace   time.Duration
		wantErr bool
	}{
		{"a child that obeys ends without an error", `echo ready; exec sleep 600`, time.Minute, false},
		{"a child that does not is killed", `trap '' TERM; echo ready; while :; do sleep 0.1; done`, 100 * time.Millisecond, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command("sh", "-c", tt.give)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd.Stdout = w
			p, err := childproc.Start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			w.Close()
			if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if !p.Running() {
				t.Fatal("the child ended by itself")
			}
			if err := p.Stop(tt.grace); (err != nil) != tt.wantErr {
				t.Errorf("Stop() = %v, want an error: %t", err, tt.wantErr)
			}
			if p.Running() {
				t.Error("the child runs after Stop")
			}
			if err := p.Kill(); err != nil {
				t.Errorf("Kill() of an ended child = %v", err)
			}
		})
	}
}

func TestStartNamesAMissingProgram(t *testing.T) {
	_, err := childproc.Start(exec.Command(filepath.Join(t.TempDir(), "absent")))
	if err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("Start() = %v, want an error that names the program", err)
	}
}

func TestAChildAndItsDirectoryGoWithTheParent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentEnv+"="+dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	await(t, "the child to end", func() bool { return syscall.Kill(pid, 0) != nil || zombie(pid) })
	await(t, "its directory to go", func() bool { _, err := os.Stat(dir); return os.IsNotExist(err) })
}

// zombie reports whether pid has ended and only waits for init to notice.
func zombie(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
