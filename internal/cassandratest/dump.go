package cassandratest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Partition is one partition of a file on disk, as Cassandra's own sstabledump
// shows it.
type Partition struct {
	Partition struct {
		Key      []string        `json:"key"`
		Deletion json.RawMessage `json:"deletion_info"`
	} `json:"partition"`
	Rows []Row `json:"rows"`
}

// Row is a row, or one end of a deleted range.
type Row struct {
	Type       string            `json:"type"`
	Clustering []json.RawMessage `json:"clustering"`
	Deletion   json.RawMessage   `json:"deletion_info"`
	Start, End json.RawMessage
	Cells      []Cell `json:"cells"`
}

// Cell is a cell, an element of a collection (Path), or the deletion of a whole
// collection (Path empty, Deletion set).
type Cell struct {
	Name     string            `json:"name"`
	Path     []json.RawMessage `json:"path"`
	Deletion json.RawMessage   `json:"deletion_info"`
}

// Dump reads the files of a table. The node must have been halted, which writes
// everything to disk.
func (n *Node) Dump(ctx context.Context, keyspace, table string) ([]Partition, error) {
	if n.process == nil || n.process.Running() {
		return nil, errors.New("dump a table: the node must be halted first")
	}
	files, err := filepath.Glob(filepath.Join(n.settings.Dir, "data", keyspace, table+"-*", "*-Data.db"))
	if err != nil {
		return nil, fmt.Errorf("find the files of %s.%s: %w", keyspace, table, err)
	}
	var all []Partition
	for _, file := range files {
		args, err := n.settings.javaArgs(n.dist.jars)
		if err != nil {
			return nil, err
		}
		args[len(args)-1] = "org.apache.cassandra.tools.SSTableExport" // in place of the server
		// It runs for a second: the optimising compiler would only get in its way.
		args = append([]string{"-XX:TieredStopAtLevel=1"}, args...)
		cmd := exec.CommandContext(ctx, n.dist.java, append(args, file)...)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("dump %s: %w: %s", filepath.Base(file), err, errs.String())
		}
		// The tool's logger may write before the JSON.
		if i := strings.Index(string(out), "[\n"); i > 0 {
			out = out[i:]
		}
		var some []Partition
		if err := json.Unmarshal(out, &some); err != nil {
			return nil, fmt.Errorf("parse the dump of %s: %w", filepath.Base(file), err)
		}
		all = append(all, some...)
	}
	return all, nil
}
