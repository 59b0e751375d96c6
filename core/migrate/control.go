package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gopkg.in/yaml.v3"
)

// Control is what --control FILE holds: limits of both sides, in YAML or JSON. The
// file is looked at every second; what it does not name has its default.
type Control struct {
	Source Limits `yaml:"source"`
	Target Limits `yaml:"target"`
}

// readControl reads a control file, strictly.
func readControl(path string) (Control, error) {
	var c Control
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("read the control file: %w", err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("read the control file %s: %w", path, err)
	}
	for name, l := range map[string]Limits{"source": c.Source, "target": c.Target} {
		if l.RowsPerSecond < 0 || l.MegabytesPerSecond < 0 || l.Concurrency < 0 || l.P99Milliseconds < 0 {
			return c, fmt.Errorf("read the control file %s: a limit of the %s is negative", path, name)
		}
	}
	return c, nil
}

// watchControl applies a control file whenever it changes, until ctx is done. A
// file that cannot be read is reported, and what was in force stays.
func watchControl(ctx context.Context, path string, source, target *flow, report func(string)) {
	var seen time.Time
	var size int64
	complained := ""
	for {
		info, err := os.Stat(path)
		var c Control
		switch {
		case errors.Is(err, os.ErrNotExist):
			err = nil // it may come
		case err == nil && (info.ModTime() != seen || info.Size() != size):
			if c, err = readControl(path); err == nil {
				seen, size = info.ModTime(), info.Size()
				source.set(c.Source)
				target.set(c.Target)
				report(fmt.Sprintf("limits of %s are in force", path))
			}
		}
		if err != nil && err.Error() != complained {
			complained = err.Error()
			report(complained + "; the limits before stay in force")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}
