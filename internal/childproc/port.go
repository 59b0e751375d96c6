package childproc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Reserved is how many of the ports that a process was given last it keeps to
// itself.
const Reserved = 256

// reservations holds what marks the ports that this process was given last, the
// oldest at next.
var reservations struct {
	sync.Mutex
	held [Reserved]net.PacketConn
	next int
}

// FreePort returns a port that a child may listen on at each of hosts: it was free
// a moment ago, it lies below the range that systems take for outgoing connections,
// so that it is still free when the child is started again, and no other caller of
// FreePort on this machine gets it, until this process ends or has asked for
// [Reserved] more. It may be called concurrently.
func FreePort(hosts ...string) (int, error) {
	if len(hosts) == 0 {
		return 0, errors.New("find a free port: no host is given")
	}
	var last error
	for range 200 {
		port := 10_000 + rand.IntN(20_000)
		if last = reserve(port, hosts); last == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a port that is free on %v: %w", hosts, last)
}

// reserve takes port, if it is free on all hosts. The same number of UDP marks it as
// taken, for it is the system that knows of all processes: a child that is to listen
// on TCP is not in its way.
func reserve(port int, hosts []string) error {
	mark, err := net.ListenPacket("udp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	for _, host := range hosts {
		if err := listenable(host, port); err != nil {
			return errors.Join(err, mark.Close())
		}
	}
	reservations.Lock()
	defer reservations.Unlock()
	oldest := &reservations.held[reservations.next]
	if *oldest != nil {
		err = (*oldest).Close()
	}
	*oldest = mark
	reservations.next = (reservations.next + 1) % Reserved
	return err
}

func listenable(host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}
