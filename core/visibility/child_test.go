package visibility_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"

	"github.com/temporal-ycql/temporal-ycql/core/visibility"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/internal/smalldisk"
)

// Tests whose process must end, or must have lost a right, run in a child: this
// binary again, with what it shall do in roleEnv and the file in fileEnv.
const (
	roleEnv = "VISIBILITY_TEST_ROLE"
	fileEnv = "VISIBILITY_TEST_FILE"
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	visibility.Register()
	cfg := fileConfig("")
	cfg.DatabaseName = os.Getenv(fileEnv)
	cfg.ConnectAttributes = map[string]string{"linger": "2ms"}
	db, err := tryOpen(sqlplugin.DbKindVisibility, cfg)
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(0)
	}
	switch role {
	case "write":
		writeForEver(db)
	case "once":
		fmt.Println("write:", add(context.Background(), db, "once"))
	case "count":
		n, err := db.CountFromVisibility(context.Background(), sqlplugin.VisibilitySelectFilter{Query: "SELECT count(*) FROM executions_visibility"})
		fmt.Println("count:", n, err)
	case "limited":
		limited(db)
	}
}

// child is a process that has a role on a file; its lines come from the scanner.
func child(t *testing.T, role, path string, attr *syscall.SysProcAttr) (*childproc.Process, *bufio.Scanner) {
	t.Helper()
	executable, err := os.Executable()
	require.NoError(t, err)
	if attr != nil && attr.Credential != nil { // who may not enter where go test builds
		executable = readable(t, executable)
	}
	cmd := exec.CommandContext(t.Context(), executable, "-test.run=^$")
	cmd.Env = append(os.Environ(), roleEnv+"="+role, fileEnv+"="+path)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = attr
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout = w
	p, err := childproc.Start(cmd)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	t.Cleanup(func() {
		require.NoError(t, p.Kill())
		_ = r.Close()
	})
	return p, bufio.NewScanner(r)
}

// readable copies a program to where everybody may run it.
func readable(t *testing.T, program string) string {
	t.Helper()
	dir := open777(t)
	from, err := os.Open(program)
	require.NoError(t, err)
	defer from.Close()
	path := filepath.Join(dir, "program")
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())
	require.NoError(t, os.Chmod(path, 0o755)) // whatever the umask
	return path
}

// open777 is a directory that every user may use.
func open777(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}

// writeForEver prints the run of each write that was acknowledged.
func writeForEver(db sqlplugin.DB) {
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := 0; ; j++ {
				run := fmt.Sprintf("%d-%d", i, j)
				err := add(context.Background(), db, run)
				mu.Lock()
				fmt.Println(run, err)
				mu.Unlock()
			}
		})
	}
	group.Wait()
}

// What was acknowledged before kill -9 is there after it. This shows that nothing
// waits in the process; TestWriterIsDurable, that nothing waits in the kernel.
func TestAcknowledgedRowsSurviveAKill(t *testing.T) {
	visibility.Register()
	random := random(t)
	path := filepath.Join(t.TempDir(), "visibility.db")
	for range 4 {
		process, lines := child(t, "write", path, nil)
		var acknowledged []string
		for n := 20 + random.IntN(300); n > 0 && lines.Scan(); n-- {
			run, found := strings.CutSuffix(lines.Text(), " <nil>")
			require.True(t, found, lines.Text())
			acknowledged = append(acknowledged, run)
		}
		require.NoError(t, process.Kill())
		for lines.Scan() { // those that were on their way to us
			if run, found := strings.CutSuffix(lines.Text(), " <nil>"); found {
				acknowledged = append(acknowledged, run)
			}
		}
		require.GreaterOrEqual(t, len(acknowledged), 20)
		cfg := fileConfig("")
		cfg.DatabaseName = path
		db := open(t, cfg)
		for _, run := range acknowledged {
			require.True(t, shows(t, db, run), "run %s was acknowledged", run)
		}
		require.NoError(t, db.Close())
		sound(t, path)
		for _, suffix := range []string{"", "-wal", "-shm"} {
			require.NoError(t, os.Remove(path+suffix))
		}
	}
}

// limited writes with a limit on the size of files, which the kernel enforces as
// it enforces the size of a disk, and then without it.
func limited(db sqlplugin.DB) {
	signal.Ignore(syscall.SIGXFSZ)
	var full, before syscall.Rlimit
	must := func(err error) {
		if err != nil {
			fmt.Println("limit:", err)
			os.Exit(0)
		}
	}
	must(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	info, err := os.Stat(os.Getenv(fileEnv) + "-wal")
	must(err)
	full = before
	full.Cur = uint64(info.Size()) + 1<<18
	must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full))
	stored := 0
	for i := range math.MaxInt {
		run := fmt.Sprintf("before-%d", i)
		if err = add(context.Background(), db, run); err != nil {
			break
		}
		stored++
		fmt.Println("stored", run)
	}
	fmt.Printf("refused after %v: %v\n", stored > 0, err)
	fmt.Println("refused again:", add(context.Background(), db, "again"))
	must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
	fmt.Println("with space:", add(context.Background(), db, "after"))
	fmt.Println("close:", db.Close())
}

func TestDiskTakesNoMoreAndThenDoes(t *testing.T) {
	visibility.Register()
	path := filepath.Join(t.TempDir(), "visibility.db")
	process, lines := child(t, "limited", path, nil)
	var stored, said []string
	for lines.Scan() {
		if run, found := strings.CutPrefix(lines.Text(), "stored "); found {
			stored = append(stored, run)
		} else {
			said = append(said, lines.Text())
		}
	}
	require.NoError(t, process.Wait())
	require.Len(t, said, 4, "%q", said)
	require.Contains(t, said[0], "refused after true: write to visibility file "+path+": disk I/O error")
	require.Contains(t, said[0], "the disk reports an error or is full")
	require.Contains(t, said[1], "refused again: write to visibility file "+path)
	require.Equal(t, []string{"with space: <nil>", "close: <nil>"}, said[2:])

	cfg := fileConfig("")
	cfg.DatabaseName = path
	db := open(t, cfg)
	defer func() { require.NoError(t, db.Close()) }()
	for _, run := range append(stored, "after") {
		require.True(t, shows(t, db, run), run)
	}
	require.False(t, shows(t, db, "again"), "what was refused is not there")
	sound(t, path)
}

func TestFullDiskAndThenSpace(t *testing.T) {
	visibility.Register()
	dir := smalldisk.Mount(t, "2m")
	ballast := filepath.Join(dir, "ballast")
	cfg := fileConfig(dir)
	db := open(t, cfg)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, add(t.Context(), db, "before"))

	f, err := os.Create(ballast)
	require.NoError(t, err)
	_, err = io.Copy(f, zeros{})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	stored := []string{"before"}
	for i := range math.MaxInt { // the log may have room left
		run := fmt.Sprint(i)
		if err = add(t.Context(), db, run); err != nil {
			break
		}
		stored = append(stored, run)
	}
	require.ErrorContains(t, err, "write to visibility file "+cfg.DatabaseName)
	require.ErrorContains(t, err, "disk")
	require.NotContains(t, err.Error(), "\n")
	require.Error(t, add(t.Context(), db, "again"))
	for _, run := range stored {
		require.True(t, shows(t, db, run), run)
	}

	require.NoError(t, os.Remove(ballast))
	require.NoError(t, add(t.Context(), db, "after"))
	require.True(t, shows(t, db, "after"))
	require.False(t, shows(t, db, "again"))
	sound(t, cfg.DatabaseName)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A file that this user may read and not write, and a directory of that kind.
func TestReadOnly(t *testing.T) {
	visibility.Register()
	var attr *syscall.SysProcAttr
	if os.Geteuid() == 0 { // root may write everywhere, nobody may not
		attr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	dir := open777(t)
	path := filepath.Join(dir, "visibility.db")
	cfg := fileConfig(dir)
	db := open(t, cfg)
	require.NoError(t, add(t.Context(), db, "before"))
	require.NoError(t, db.Close())
	for _, suffix := range []string{"-wal", "-shm"} {
		require.NoError(t, os.Remove(path+suffix))
	}
	say := func(role string) string {
		process, lines := child(t, role, path, attr)
		var said []string
		for lines.Scan() {
			said = append(said, lines.Text())
		}
		require.NoError(t, process.Wait())
		return strings.Join(said, "\n")
	}
	for _, mode := range []struct{ dir, file os.FileMode }{{0o555, 0o444}, {0o777, 0o444}, {0o555, 0o666}} {
		require.NoError(t, os.Chmod(path, mode.file))
		require.NoError(t, os.Chmod(dir, mode.dir))
		said := say("once")
		require.Contains(t, said, "open: plugin sqlite-grouped: open visibility file "+path)
		require.Regexp(t, "make the file and its directory writable for this user|this user may read and write", said)
		require.NotContains(t, said, "\n")
		require.NoError(t, errors.Join(os.RemoveAll(path+"-wal"), os.RemoveAll(path+"-shm"))) // of the user who tried
	}
	require.NoError(t, os.Chmod(path, 0o666))
	require.NoError(t, os.Chmod(dir, 0o777))
	require.Equal(t, "write: <nil>", say("once"))
	require.Equal(t, "count: 2 <nil>", say("count"))
}
