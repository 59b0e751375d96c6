// Command cassandra-dev runs an Apache Cassandra in the foreground.
//
//	cassandra-dev [-host H] [-port 9042] [-data DIR] [-heap MB] [-durable] [-release 5.0|4.1]
//	cassandra-dev [-port 0] [-release 4.1] -- COMMAND ARGS...
//
// The first form runs until it is interrupted. The second runs a command beside a
// node, with the node's address in CQL_TEST_CASSANDRA, and ends with the command's
// status; where one is named there already (and no other release asked for), or no Cassandra can run, it only runs
// the command. Data in -data outlive the command; without it they are removed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

func main() {
	status, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cassandra-dev:", err)
		if status == 0 {
			status = 1
		}
	}
	os.Exit(status)
}

func run() (status int, err error) {
	host := flag.String("host", "127.0.0.1", "address to listen on")
	port := flag.Int("port", 9042, "port for CQL; 0 takes a free one")
	data := flag.String("data", "", "directory that keeps the data; removed at the end when empty")
	heap := flag.Int("heap", 512, "Java heap in MiB")
	durable := flag.Bool("durable", false, "sync the commit log before each answer")
	release := flag.String("release", "5.0", "5.0 or 4.1")
	flag.Parse()
	version, ok := map[string]string{"5.0": cassandratest.Version, "4.1": cassandratest.OlderVersion}[*release]
	if !ok {
		return 2, fmt.Errorf("-release %s: it must be 5.0 or 4.1", *release)
	}
	command := flag.Args()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if addr := os.Getenv(cassandratest.SharedEnv); addr != "" && len(command) > 0 && version == cassandratest.Version {
		fmt.Fprintf(os.Stderr, "cassandra-dev: using the Cassandra at %s\n", addr)
		return beside(ctx, command, addr)
	}
	opts := []cassandratest.Option{
		cassandratest.WithHost(*host), cassandratest.WithPort(*port), cassandratest.WithHeap(*heap),
		cassandratest.WithVersion(version),
	}
	if *data != "" {
		opts = append(opts, cassandratest.WithDir(*data))
	}
	if *durable {
		opts = append(opts, cassandratest.WithDurableCommitlog())
	}
	node, err := cassandratest.Launch(ctx, opts...)
	if errors.Is(err, cassandratest.ErrNotInstalled) && len(command) > 0 {
		fmt.Fprintln(os.Stderr, "cassandra-dev: running without a Cassandra:", err)
		return beside(ctx, command, "")
	}
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, node.Stop()) }()
	fmt.Fprintf(os.Stderr, "cassandra-dev: Cassandra %s answers at %s\n", version, node.Addr())
	if len(command) > 0 {
		return beside(ctx, command, node.Addr())
	}
	select {
	case <-ctx.Done():
		return 0, nil
	case <-node.Done():
		return 1, fmt.Errorf("run Cassandra: it ended by itself; its log ends with\n%s", node.LogTail(20))
	}
}

// beside runs a command with addr in its environment and returns its exit status. A
// signal to this process is handed on once, to all that the command has started.
func beside(ctx context.Context, command []string, addr string) (int, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if addr != "" {
		cmd.Env = append(os.Environ(), cassandratest.SharedEnv+"="+addr)
	}
	p, err := childproc.Start(cmd)
	if err != nil {
		return 1, err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		// Its process group: a shell does not hand signals on.
		if err := syscall.Kill(-p.Pid(), syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return 1, fmt.Errorf("stop %s: %w", command[0], err)
		}
	}
	err = p.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return 1, fmt.Errorf("run %s: %w", command[0], err)
	}
	return 0, nil
}
