//go:build !linux

package cassandratest

import "syscall"

// childAttributes keeps a terminal's Ctrl-C from the child. Here the watching
// shell alone ends it with its parent.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
