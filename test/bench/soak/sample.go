package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gocql/gocql"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/temporal-ycql/temporal-ycql/internal/scrape"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

const sampleEvery = 15 * time.Second

// sample is what a server and its database take at one moment.
type sample struct {
	Second    float64 `json:"second"`
	Disturbed bool    `json:"disturbed"` // something may be killed in this part of the run
	Completed int64   `json:"workflows_completed"`

	ServerMB   int64 `json:"server_mib"` // resident
	ServerFile int64 `json:"server_files"`
	Goroutines int64 `json:"server_goroutines"`
	EngineMB   int64 `json:"engine_mib,omitempty"`
	EngineFile int64 `json:"engine_files,omitempty"`
	DiskMB     int64 `json:"engine_disk_mib,omitempty"`

	Rows map[string]int64 `json:"rows"` // by table
}

func (s *subject) sample(ctx context.Context) (one sample, err error) {
	memory, err := s.Memory()
	if err != nil {
		return one, err
	}
	one.ServerMB = memory >> 20
	if one.ServerFile, err = s.Files(); err != nil {
		return one, err
	}
	if one.Goroutines, err = gauge(ctx, s.MetricsOf(0), "num_goroutines"); err != nil {
		return one, err
	}
	if s.engine != nil {
		if memory, err = s.engine.Memory(); err != nil {
			return one, err
		}
		one.EngineMB = memory >> 20
		if one.EngineFile, err = s.engine.Files(); err != nil {
			return one, err
		}
		if memory, err = s.engine.Disk(); err != nil {
			return one, err
		}
		one.DiskMB = memory >> 20
	}
	one.Rows, err = s.count(ctx)
	return one, err
}

// gauge reads the greatest value of one of a server's metrics; 0 if it is not there yet.
func gauge(ctx context.Context, address, name string) (int64, error) {
	families, err := scrape.Families(ctx, "http://"+address+"/metrics", name)
	if err != nil {
		return 0, err
	}
	return int64(slices.Max(append(scrape.Values(families[name]), 0))), nil
}

// tables are those that grow with workflows, of either schema.
func (s *subject) tables() []string {
	if s.engine != nil && s.engine.Dialect == "ycql" {
		return []string{"executions", "current_executions", "history_tasks", "history_node", "history_tree", "tasks"}
	}
	return []string{"executions", "history_node", "history_tree", "tasks"}
}

// count counts the rows of all tables, on a session of its own: one whose server was
// killed takes a minute to notice that it is back.
func (s *subject) count(ctx context.Context) (map[string]int64, error) {
	open := s.Session
	if s.engine != nil {
		open = s.engine.Session
	}
	session, err := open()
	if err != nil {
		return nil, err
	}
	defer session.Close()
	rows := map[string]int64{}
	for _, table := range s.tables() {
		var n int64
		err := session.Query(fmt.Sprintf("SELECT count(*) FROM %s.%s", s.Keyspace, table)).
			Consistency(gocql.Quorum).WithContext(ctx).Scan(&n)
		if err != nil {
			return nil, fmt.Errorf("count the rows of %s: %w", table, err)
		}
		rows[table] = n
	}
	return rows, nil
}

// few is how many rows of a table may be left for the server's own workflows and
// queues, which retention does not touch, or which the end of the load has just left.
const few = 400

// awaitEmpty waits until retention has passed for all workflows and what is left is
// little, or ten times as long; then visibility must not know any of them either.
func (s *subject) awaitEmpty(ctx context.Context, retention time.Duration) (rows map[string]int64, err error) {
	c, err := s.Dial(namespace)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*retention+time.Minute)
	defer cancel()
	err = harness.Insist(ctx, func() error {
		if rows, err = s.count(ctx); err != nil {
			return err
		}
		known, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{})
		if err != nil {
			return fmt.Errorf("count the workflows that visibility knows: %w", err)
		}
		rows["visibility"] = known.GetCount()
		if len(left(rows)) > 0 {
			return errors.New("rows are left")
		}
		return nil
	})
	if rows == nil {
		return nil, err
	}
	return rows, nil // whoever asked looks at them
}

// left says which tables still hold more than little.
func left(rows map[string]int64) (faults []string) {
	for table, n := range rows {
		most := int64(few)
		if table == "visibility" {
			most = 0
		}
		if n > most {
			faults = append(faults, fmt.Sprintf("%d rows are left of %s when retention has passed for all workflows", n, table))
		}
	}
	slices.Sort(faults)
	return faults
}
