package childproc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreePort returns a port that a child may listen on at each of hosts: it was free
// a moment ago, and it lies below the range that systems take for outgoing
// connections, so that it is still free when the child is started again.
func FreePort(hosts ...string) (int, error) {
	var last error
	for range 200 {
		port := 10_000 + rand.IntN(20_000)
		if last = listenable(hosts, port); last == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a port that is free on %v: %w", hosts, last)
}

func listenable(hosts []string, port int) error {
	if len(hosts) == 0 {
		return errors.New("no host is given")
	}
	for _, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}
