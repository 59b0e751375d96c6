package childproc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// RemoveAfter starts a shell that outlives this process just long enough to end
// the child and to remove dir, which nobody could remove then; an empty dir is
// left out. Nothing happens as long as this process lives: it removes what it made.
func (p *Process) RemoveAfter(dir string) error {
	// The shell waits for the end of a pipe whose other end only this process holds.
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("watch over %s: %w", p.cmd.Path, err)
	}
	defer r.Close()
	sh := exec.Command("sh", "-c", `read -r _
kill -9 "$1" 2>/dev/null
if [ -n "$2" ]; then sleep 1; rm -rf -- "$2"; fi`, "sh", strconv.Itoa(p.Pid()), dir)
	sh.Stdin = r
	sh.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := sh.Start(); err != nil {
		return errors.Join(fmt.Errorf("watch over %s: %w", p.cmd.Path, err), w.Close())
	}
	go func() {
		// The child is gone and this process is not: the shell has nothing to do.
		// It is ended before the pipe, for its kill could meet another process.
		<-p.done
		_ = sh.Process.Kill()
		_ = sh.Wait()
		_ = w.Close()
	}()
	return nil
}
