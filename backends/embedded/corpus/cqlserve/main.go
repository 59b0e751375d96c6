// Command cqlserve serves an embedded engine on a loopback port, for the corpus and
// other tests that need a server of its own. It prints the address and runs until
// its standard input is closed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/engine"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/systables"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	dialect := flag.String("dialect", "cassandra", "cassandra or ycql")
	dir := flag.String("dir", "", "data directory; in memory if empty")
	listen := flag.String("listen", "127.0.0.1:0", "loopback address")
	flag.Parse()
	o := engine.Options{Dir: *dir, Ephemeral: *dir == ""}
	if *dialect == "ycql" {
		o.Dialect = parse.YCQL
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", *listen, err)
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("listen on %s: no TCP address", *listen)
	}
	o.Node = systables.Node{Address: addr.IP, Port: addr.Port}
	e, err := engine.Open(o)
	if err != nil {
		return err
	}
	s, err := server.New(e, server.Options{Personality: server.Personality(*dialect)})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l, nil) }()
	if _, err := fmt.Println(addr); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		return err
	}
	return errors.Join(<-done, e.Close())
}
