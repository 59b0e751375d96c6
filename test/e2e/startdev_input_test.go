package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/internal/smalldisk"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// command is a command of the built server, of a user with a home of its own.
func command(t *testing.T, home string, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getenv(harness.SubjectEnv) == "stock" {
		t.Skip("start-dev is of this repository's server")
	}
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	cmd := exec.Command(binary, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "TEMPORAL_") || strings.HasPrefix(v, "XDG_DATA_HOME=") || strings.HasPrefix(v, "HOME=")
	})
	cmd.Env = append(cmd.Env, "HOME="+home)
	cmd.Dir = home
	return cmd
}

// misuse runs start-dev, which must end by itself with status 1 and say why in a
// line, after which nothing comes but what parts of a server that began to start log
// while they end.
func misuse(t *testing.T, args ...string) string {
	t.Helper()
	cmd := command(t, t.TempDir(), args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := childproc.Start(cmd)
	require.NoError(t, err)
	select {
	case <-p.Done():
	case <-time.After(patience):
		require.NoError(t, p.Kill())
		require.Fail(t, "it runs on", "%v\n%s", args, &out)
	}
	err = p.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%v\n%s", args, &out)
	require.Equal(t, 1, exit.ExitCode(), "%v\n%s", args, &out)
	require.NotContains(t, out.String(), ready)
	require.Equal(t, 1, strings.Count(out.String(), "start-dev: "), "%s", &out)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	why := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "start-dev: ") })
	require.GreaterOrEqual(t, why, 0, "%s", &out)
	for _, line := range lines[why+1:] {
		require.Regexp(t, `^\S+\t(info|warn|error)\t`, line, "%s", &out)
	}
	return lines[why]
}

func free(t *testing.T) string {
	t.Helper()
	p, err := harness.FreePort()
	require.NoError(t, err)
	return strconv.Itoa(p)
}

// TestStartDevMisuse: whatever is wrong, a line says so, and the data of the server
// that runs meanwhile, or ran before, is as it was.
func TestStartDevMisuse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := launch(t, dev(t, "--data-dir", dir), harness.Spec{})
	s.awaitBlock(t)
	c := s.dial(t, "default")
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "misuse"}, wfForever)
	require.NoError(t, err)

	thesis := filepath.Join(t.TempDir(), "engine")
	require.NoError(t, os.MkdirAll(thesis, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(thesis, "thesis.tex"), nil, 0o600))
	elsewhere := func(args ...string) []string {
		return append([]string{"start-dev", "--port", free(t), "--ui-port", free(t)}, args...)
	}
	tests := []struct {
		name string
		give []string
		want string
	}{
		{"a flag that does not exist", []string{"start-dev", "--prot", "1"}, `start-dev: flag provided but not defined: -prot (see "temporal-server start-dev --help")`},
		{"a port that is no number", []string{"start-dev", "--port", "x"}, `start-dev: invalid value "x" for flag -port: parse error`},
		{"an argument", []string{"start-dev", "now"}, "start-dev: unexpected argument now: all is said by flags"},
		{"upstream's file", []string{"start-dev", "--db-filename", "x.db"}, "start-dev: --db-filename: data is kept in a directory here"},
		{"upstream's file in short", []string{"start-dev", "-f", "x.db"}, "start-dev: --db-filename: data is kept in a directory here"},
		{"a configuration file", []string{"--config-file", "x", "start-dev"}, "start-dev: a configuration is chosen by --config-file or its variable"},
		{"a setting without a value", []string{"start-dev", "--set", "x"}, `start-dev: invalid value "x" for flag -set: write it as a.b=value`},
		{"a dialect that nobody knows", []string{"start-dev", "--dialect", "sql"}, `start-dev: backends.embedded.dialect: "sql" is not a dialect`},
		{"a setting before the command", []string{"--set", "log.levle=x", "start-dev"}, `start-dev: --set log.levle: unknown key "log.levle", did you mean "level"?`},
		{"the type of a search attribute", []string{"start-dev", "--search-attribute", "a=String"}, `start-dev: --search-attribute a: "String" is not a type`},
		{"a dynamic value", []string{"start-dev", "--dynamic-config-value", `limit.blobSize.error="large"`}, "start-dev: --dynamic-config-value limit.blobSize.error: validation failed"},
		{"a dynamic value with commas", []string{"start-dev", "--dynamic-config-value", "a=[1,2"}, "start-dev: --dynamic-config-value a: [1,2 is not JSON"},
		{"a port that is taken", []string{"start-dev", "--port", port(t, s.Address())}, "start-dev: the server cannot listen on " + s.Address() + ", which is taken: end what runs there (another server?) or give another --port"},
		{"the UI's port", append(elsewhere(), "--ui-port", port(t, s.Address())), "start-dev: the UI cannot listen on " + s.Address()},
		{"the directory of a server that runs", elsewhere("--data-dir", dir), "start-dev: Unable to create server. Error: open the embedded database in " + filepath.Join(dir, "engine") + ": opening the data directory " + filepath.Join(dir, "engine") + ": it is in use by process "},
		{"a directory of something else", elsewhere("--data-dir", filepath.Dir(thesis)), "start-dev: Unable to create server. Error: open the embedded database in " + thesis + ": the directory is no database and not empty (it holds thesis.tex): name a new one."},
		{"a file for a directory", elsewhere("--data-dir", filepath.Join(thesis, "thesis.tex")), "start-dev: make the data directory " + filepath.Join(thesis, "thesis.tex") + ": not a directory: give a --data-dir"},
		{"another database that does not answer", elsewhere("--backend", "cassandra", "--set", "backends.cassandra.hosts=127.0.0.1:1"), "start-dev: Unable to create server. Error: connect to Cassandra at 127.0.0.1:1: "},
		{"a namespace whose name is refused", elsewhere("--ephemeral", "--namespace", strings.Repeat("n", 1001)), `start-dev: set up: namespace "nnnn`},
		{"a search attribute of the server's own", elsewhere("--ephemeral", "--search-attribute", "CloseTime=Datetime"), `start-dev: set up: search attribute "CloseTime" of namespace "default": the name is one of the server's own (Datetime): take another`},
	}
	t.Run("while one runs", func(t *testing.T) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				require.Contains(t, misuse(t, tt.give...), tt.want)
			})
		}
	})

	require.NoError(t, s.Stop())
	stopped := []struct{ name, flag, value, want string }{
		{"a search attribute of another type", "--search-attribute", "Colour=Int", `start-dev: set up: search attribute "Colour" of namespace "default": it exists with the type Keyword, not Int: take another name`},
		{"another dialect", "--dialect", "cassandra", "start-dev: Unable to create server. Error: open the embedded database in " + filepath.Join(dir, "engine")},
		{"another number of shards", "--set", "persistence.numHistoryShards=8", "start-dev: Unable to create server. Error: cluster \"active\" in keyspace \"temporal\" was made with 4 history shards"},
	}
	s = launch(t, dev(t, "--data-dir", dir, "--search-attribute", "Colour=Keyword"), harness.Spec{After: s.Server})
	s.awaitBlock(t)
	require.NoError(t, s.Stop())
	for _, tt := range stopped {
		t.Run(tt.name, func(t *testing.T) {
			require.Contains(t, misuse(t, elsewhere("--data-dir", dir, tt.flag, tt.value)...), tt.want)
		})
	}
	require.NoError(t, s.Start(t.Context()))
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, status(t, c, "kept", ""), "nothing is lost")
}

// TestStartDevAlone starts it as a newcomer does: data goes where the system keeps
// a user's, the log is quiet, and the first signal ends it in order.
func TestStartDevAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no such signals")
	}
	tests := []struct {
		name    string
		signals []os.Signal
		status  []int
	}{
		{"a signal", []os.Signal{os.Interrupt}, []int{0}},
		{"another", []os.Signal{syscall.SIGTERM}, []int{0}},
		// Which of two is taken first is the system's affair.
		{"two signals", []os.Signal{syscall.SIGTERM, os.Interrupt}, []int{128 + int(syscall.SIGTERM), 128 + int(syscall.SIGINT)}},
	}
	starts := map[string]int{} // by complaint, those that made it
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			// The UI's port would be a thousand above, which somebody may have.
			cmd := command(t, home, "start-dev", "--port", free(t), "--ui-port", free(t))
			output := filepath.Join(home, "output")
			file, err := os.Create(output)
			require.NoError(t, err)
			defer file.Close()
			cmd.Stdout, cmd.Stderr = file, file
			p, err := childproc.Start(cmd)
			require.NoError(t, err)
			defer p.Kill()
			read := func() string {
				text, err := os.ReadFile(output)
				require.NoError(t, err)
				return string(text)
			}
			await(t, "it to be ready", func(context.Context) error {
				if !p.Running() {
					require.Fail(t, "it ended", read())
				}
				if !strings.Contains(read(), "Stop:") {
					return errors.New(read())
				}
				return nil
			})
			data := dataBelow(home)
			require.Contains(t, read(), data+"\n")
			require.FileExists(t, filepath.Join(data, "visibility.db"))
			// All are there before it takes the first, which could have ended it before the
			// second was sent.
			for _, s := range slices.Concat([]os.Signal{syscall.SIGSTOP}, tt.signals, []os.Signal{syscall.SIGCONT}) {
				require.NoError(t, p.Signal(s))
			}
			<-p.Done()
			code := 0
			var exit *exec.ExitError
			if errors.As(p.Wait(), &exit) {
				code = exit.ExitCode()
			}
			require.Contains(t, tt.status, code, read())
			here := map[string]bool{}
			for _, line := range complaint.FindAllString(read(), -1) {
				if !ofASlowMachine.MatchString(line) {
					_, said, _ := strings.Cut(line, "\t")
					said, _, _ = strings.Cut(said, "\t{")
					here[said] = true
				}
			}
			for said := range here {
				starts[said]++
			}
		})
	}
	// What a start says once, another does not, was its circumstances'. There are two
	// that end in order and one that does not.
	for said, n := range starts {
		require.Less(t, n, 2, "nobody has done anything wrong: %s", said)
	}
}

var complaint = regexp.MustCompile(`(?m)^\S+\t(?:warn|error).*`)

// ofASlowMachine are complaints about how long something takes, and what Temporal says
// where a queue polls between the start of a shard's engine and the shard's being
// acquired: it polls again (service/history/shard/context_impl.go:1985 of 1.32.2,
// queues/reader.go:455).
var ofASlowMachine = regexp.MustCompile(`\tSlow |exceeded|timeout|timed out|unknown outcome|shard status unknown`)

// dataBelow is where a user with this home finds the data.
func dataBelow(home string) string {
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "temporal-ycql")
	}
	return filepath.Join(home, ".local", "share", "temporal-ycql")
}

// TestStartDevDisk: a disk that is full or read-only. Workflows wait for room and
// go on; a start without room, or on a disk that takes no writes, says so.
func TestStartDevDisk(t *testing.T) {
	t.Parallel()
	dir := smalldisk.Mount(t, "200m") // for a server's data and for what it keeps free
	data := filepath.Join(dir, "data")
	s := launch(t, dev(t, "--data-dir", data), harness.Spec{})
	s.awaitBlock(t) // one that is still being set up ends without room
	const queue = "disk"
	stop := work(t, s.Client, queue, worker.Options{})
	runs := pipelines(t, s.Client, queue, 10)
	awaitProgress(t, s.Client, runs, 8)
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	// Most often writes are refused before one fails; after one that failed the
	// server ends, for its log of writes has a hole.
	const failed = "start-dev: The database has failed. Error: the store has stopped writing: "
	await(t, "the server to notice", func(ctx context.Context) error {
		if strings.Contains(s.Log(0), failed) {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: unique("full"), TaskQueue: queue}, wfForever)
		if err == nil {
			return errors.New("a workflow was started on a full disk")
		}
		return nil
	})
	require.NoError(t, os.Remove(ballast))
	await(t, "a server that takes workflows", func(ctx context.Context) error {
		if err := s.Start(ctx); err != nil { // unless it runs
			return err
		}
		_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: unique("room"), TaskQueue: queue}, wfForever)
		return err
	})
	finish(t, s.Client, runs)
	stop()
	require.NoError(t, s.Stop())

	again := []string{"start-dev", "--headless", "--data-dir", data, "--port", port(t, s.Address())}
	fill(t, ballast)
	require.Regexp(t, "^start-dev: .*no space left on device", misuse(t, again...))
	require.NoError(t, os.Remove(ballast))
	remount(t, dir, "ro")
	require.Regexp(t, "^start-dev: .*read-only file system", misuse(t, again...))
	fresh := append(slices.Clone(again), "--data-dir", filepath.Join(dir, "fresh"))
	require.Contains(t, misuse(t, fresh...), "start-dev: make the data directory "+filepath.Join(dir, "fresh")+": read-only file system: give a --data-dir that can be made and written, or --ephemeral")
	remount(t, dir, "rw")
	require.NoError(t, s.Start(t.Context()))
	for _, run := range runs {
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, status(t, s.Client, run.GetID(), run.GetRunID()), "nothing is lost")
	}
}

func remount(t *testing.T, dir, how string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,"+how, dir).CombinedOutput()
	require.NoError(t, err, string(out))
}

// fill writes a file until the disk takes no more.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(block)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
}
