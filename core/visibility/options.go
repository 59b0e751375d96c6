package visibility

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/server/common/config"
)

const (
	// defaultLinger is how long a group waits for more writes. At 60 workflows
	// a second 20 ms make groups of about 5, at 160 about 10.
	defaultLinger = 20 * time.Millisecond
	maxLinger     = time.Second

	defaultBusyTimeout = 10 * time.Second
	// defaultReaders is the number of connections for queries: one slow list
	// must not hold up the others.
	defaultReaders = 4
)

// options are what a data store block says, checked.
type options struct {
	// path is the file, absolute and without symbolic links; empty when ephemeral.
	path string
	// ephemeral: the data lasts as long as the process wants it.
	ephemeral   bool
	linger      time.Duration
	busyTimeout time.Duration
	// pragmas are set on every connection, by name.
	pragmas map[string]string
}

// tuning are the pragmas that a user may set: none of them weakens a promise.
var tuning = []string{"cache_size", "journal_size_limit", "mmap_size", "temp_store", "wal_autocheckpoint"}

// parseOptions checks a data store block. The attributes of stock's sqlite
// plugin are accepted where they agree with what this one does, so that a block
// works with nothing but its pluginName changed. All faults are reported at once.
func parseOptions(cfg *config.SQL) (options, error) {
	o := options{linger: defaultLinger, busyTimeout: defaultBusyTimeout, pragmas: map[string]string{}}
	var faults []error
	fault := func(key, value, why string) {
		faults = append(faults, fmt.Errorf("connectAttributes.%s is %q: %s", key, value, why))
	}
	for _, key := range slices.Sorted(maps.Keys(cfg.ConnectAttributes)) {
		value := strings.TrimSpace(cfg.ConnectAttributes[key])
		lower := strings.ToLower(value)
		switch key = strings.TrimSpace(key); key {
		case "mode":
			switch lower {
			case "memory":
				o.ephemeral = true
			case "rw", "rwc":
			default:
				fault(key, value, "want rwc (a file) or memory (nothing is kept)")
			}
		case "linger":
			d, err := time.ParseDuration(value)
			if err != nil || d < 0 || d > maxLinger {
				fault(key, value, "want a duration from 0s to "+maxLinger.String()+", such as 20ms")
			}
			o.linger = d
		case "busy_timeout":
			ms, err := strconv.Atoi(value)
			if err != nil || ms < 0 {
				fault(key, value, "want milliseconds")
			}
			o.busyTimeout = time.Duration(ms) * time.Millisecond
		case "journal_mode":
			if lower != "wal" {
				fault(key, value, "groups of writes need wal, which is the default")
			}
		case "synchronous":
			if !slices.Contains([]string{"2", "full", "3", "extra"}, lower) { // the same in WAL mode
				fault(key, value, "a write is acknowledged when it is durable (full, the default); for data that need not last set mode: memory")
			}
		case "setup":
			if lower != "true" {
				fault(key, value, "the plugin always makes and updates its schema; leave the key out")
			}
		case "cache":
			if lower != "private" {
				fault(key, value, "want private, which is the default")
			}
		default:
			if !slices.Contains(tuning, key) {
				fault(key, value, "unknown; known are busy_timeout, cache, journal_mode, linger, mode, setup, synchronous, "+strings.Join(tuning, ", "))
				continue
			}
			if _, err := strconv.ParseInt(value, 10, 64); err != nil {
				fault(key, value, "want a number")
			}
			o.pragmas[key] = value
		}
	}
	if !o.ephemeral {
		path, err := canonical(cfg.DatabaseName)
		if err != nil {
			faults = append(faults, err)
		}
		o.path = path
	}
	if err := errors.Join(faults...); err != nil {
		return options{}, err
	}
	return o, nil
}

// canonical makes one name of all names of a file, which need not exist yet. Its
// directory must.
func canonical(name string) (string, error) {
	if name == "" {
		return "", errors.New("databaseName is empty: want the path of a file")
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("databaseName %q: %w", name, err)
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("databaseName %q: its directory cannot be used: %w", name, err)
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// key tells stores apart: one writer each.
func (o *options) key(databaseName string) string {
	if o.ephemeral {
		return "memory:" + databaseName
	}
	return o.path
}

// same reports whether two stores of one file want it opened in the same way.
func (o *options) same(p *options) bool {
	return o.path == p.path && o.ephemeral == p.ephemeral && o.linger == p.linger &&
		o.busyTimeout == p.busyTimeout && maps.Equal(o.pragmas, p.pragmas)
}

// connection lists the pragmas of every connection to the file.
func (o *options) connection() map[string]string {
	p := maps.Clone(o.pragmas)
	p["busy_timeout"] = strconv.FormatInt(o.busyTimeout.Milliseconds(), 10)
	p["journal_mode"] = "wal"
	p["synchronous"] = "full"
	if o.ephemeral {
		p["synchronous"] = "off"
	}
	return p
}

// uriPath escapes a path for a SQLite URI, in which upstream does not.
func uriPath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
}
