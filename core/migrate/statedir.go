package migrate

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// stateDir is a directory of the machine that the tool runs on. It holds what is
// too large for the run table and can be made again: digests of parts that were
// verified. It belongs to one run.
type stateDir struct {
	path string
	// id tells directories apart: whoever holds the lock of this one knows that the
	// migrators before it that had the same id have ended.
	id   string
	lock *os.File
}

type stateFile struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	Run     string `json:"run,omitempty"`
}

const stateName = "state.json"

// openState locks a state directory, making it if need be.
func openState(path string) (*stateDir, error) {
	fail := func(err error) (*stateDir, error) {
		return nil, fmt.Errorf("open the state directory %s: %w", path, err)
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return fail(fmt.Errorf("%w: give a --state that can be made and written", err))
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fail(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fail(errors.New("another migrator uses it: wait until that has ended, or give another --state"))
		}
		return fail(err)
	}
	d := &stateDir{path: path, lock: lock}
	f, err := d.file()
	if err == nil && f.ID == "" {
		f = stateFile{Version: RunVersion, ID: rand.Text()}
		err = d.write(stateName, f)
	}
	if err != nil {
		_ = lock.Close() // the next one tries again
		return nil, err
	}
	d.id = f.ID
	return d, nil
}

// close gives the directory back.
func (d *stateDir) close() error { return d.lock.Close() }

// file reads what the directory says of itself; the zero value if it is new. What
// another version of the tool has left is refused.
func (d *stateDir) file() (stateFile, error) {
	var f stateFile
	found, err := d.read(stateName, &f)
	if err == nil && found && (f.Version < 1 || f.Version > RunVersion) {
		err = fmt.Errorf("read the state directory %s: it has version %d, this program reads 1 to %d: give another --state, what this one holds is made again",
			d.path, f.Version, RunVersion)
	}
	return f, err
}

// bind makes the directory one of a run. That of another run is refused.
func (d *stateDir) bind(run string) error {
	f, err := d.file()
	switch {
	case err != nil:
		return err
	case f.Run == run:
		return nil
	case f.Run != "":
		return fmt.Errorf("use the state directory %s: it belongs to run %s, the target to run %s: give another --state", d.path, f.Run, run)
	}
	f.Run = run
	return d.write(stateName, f)
}

// write stores a value under a name, wholly or not at all.
func (d *stateDir) write(name string, value any) error {
	path := filepath.Join(d.path, name)
	if err := writeWhole(path, value); err != nil {
		return fmt.Errorf("write %s: %w: make room, or give a --state on another disk, and run the command again", path, err)
	}
	return nil
}

func writeWhole(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it is useless
	}
	return err
}

// read reads a value; found is false if there is none.
func (d *stateDir) read(name string, into any) (found bool, err error) {
	path := filepath.Join(d.path, name)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w: remove it, it is made again", path, err)
	}
	return true, nil
}

// clear removes what was stored below a name.
func (d *stateDir) clear(name string) error { return os.RemoveAll(filepath.Join(d.path, name)) }
