package storage

import (
	"errors"
	"fmt"
	"io"
	"math"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	minToken = math.MinInt64
	maxToken = math.MaxInt64
)

// Checkpoint writes a copy of the store as it is now to dir, which must not
// exist, while the store goes on working. Everything acknowledged before the
// call is in it. On the same file system most files are hard links. Use
// [Restore] to make a data directory of it.
func (s *Store) Checkpoint(dir string) error {
	if s.closed.Load() {
		return ErrClosed
	}
	if err := s.NewestTicket().Wait(); err != nil {
		return err
	}
	if s.opts.Ephemeral {
		return errors.New("a store in memory has nothing that could be backed up: start it with a data directory")
	}
	if err := guarded(func() error { return s.db.Checkpoint(dir, pebble.WithFlushedWAL()) }); err != nil {
		return fmt.Errorf("backup to %s: %w", dir, err)
	}
	return nil
}

// Restore copies a backup made by Checkpoint to an empty or new data directory
// and checks that it opens.
func Restore(backup, dir string) error {
	if err := restore(vfs.Default, backup, dir); err != nil {
		return fmt.Errorf("restoring %s to %s: %w", backup, dir, err)
	}
	s, err := Open(Options{Dir: dir, Sweep: -1})
	if err != nil {
		return err
	}
	return s.Close()
}

func restore(fs vfs.FS, backup, dir string) error {
	names, err := fs.List(backup)
	if err != nil {
		return err
	}
	if desc, err := pebble.Peek(backup, fs); err != nil {
		return err
	} else if !desc.Exists {
		return errors.New("this is no backup of an embedded store")
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if there, err := fs.List(dir); err != nil {
		return err
	} else if len(there) > 0 {
		return errors.New("the target is not empty: name a new directory")
	}
	for _, name := range names {
		if name == "LOCK" || name == "HOLDER" {
			continue
		}
		if err := vfs.Copy(fs, fs.PathJoin(backup, name), fs.PathJoin(dir, name)); err != nil {
			return err
		}
	}
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// isDiskFull reports whether err says that there is no room.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// checkSpace refuses or allows writes by the free space of the disk.
func (s *Store) checkSpace() {
	if s.opts.MinFreeBytes < 0 || s.opts.Ephemeral {
		return
	}
	u, err := s.fs.GetDiskUsage(s.opts.Dir)
	if err != nil {
		return // file systems of tests have none
	}
	low := u.AvailBytes < uint64(s.opts.MinFreeBytes)
	if low != s.low.Swap(low) {
		s.log.Warn("embedded store: free disk space", "dir", s.opts.Dir, "free_bytes", u.AvailBytes,
			"needed_bytes", s.opts.MinFreeBytes, "writes_refused", low)
	}
}

// spaceLoop looks at the free space once a second.
func (s *Store) spaceLoop() {
	defer s.loops.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
			s.checkSpace()
		}
	}
}

func readFile(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 4096))
}

func writeFile(fs vfs.FS, name string, b []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}
