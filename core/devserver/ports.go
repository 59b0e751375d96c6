package devserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// listener is an address that the server is about to listen on, what for, and the
// flag that changes it.
type listener struct{ what, address, flag string }

// checkListeners finds out what is taken before anything is opened: Temporal would
// end the process with a page of log.
func checkListeners(all []listener) error {
	var open []net.Listener
	defer func() {
		for _, l := range open {
			l.Close()
		}
	}()
	for i, want := range all {
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", want.address)
		if err == nil {
			open = append(open, l)
			continue
		}
		for _, other := range all[:i] {
			if other.address == want.address {
				return fmt.Errorf("%s and %s would both listen on %s: change %s or %s", other.what, want.what, want.address, other.flag, want.flag)
			}
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s cannot listen on %s, which is taken: end what runs there (another server?) or give another %s", want.what, want.address, want.flag)
		}
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return fmt.Errorf("%s cannot listen on %s: %w: give another %s", want.what, want.address, err, want.flag)
	}
	return nil
}

// freePort returns a port on which nobody listened a moment ago, on no address, and
// that no other server which starts at the same time gets.
func freePort() (int, error) { return childproc.FreePort("") }

// awaitListener returns when somebody listens on address.
func awaitListener(ctx context.Context, address string) error {
	dialer := net.Dialer{Timeout: time.Second}
	for {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", address, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
