package cassandratest

import "syscall"

// childAttributes lets the kernel kill the child when the thread that started it
// ends, and keeps a terminal's Ctrl-C from it: its owner decides when it ends.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
