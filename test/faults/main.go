// Command faults makes the matrix of faults out of what tests of package conformance
// said: for each store call and each sort of fault how many cases were tried, on which
// database, and how long it took until calls succeeded again after a kill -9.
//
//	faults [-out FILE] [-docs docs/reliability.md] FILE...
//
// The files hold what "go test -json -run 'Cassandra|Kills' ./core/conformance" said.
// The exit status is 1 if a case failed, or if a sort of fault was not tried at all.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/test/bench/result"
)

func main() {
	out := flag.String("out", "", "file for the matrix as JSON; standard output when empty")
	docs := flag.String("docs", "", "document whose tables are written anew, between its markers")
	flag.Parse()
	if err := run(flag.Args(), *out, *docs); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

func run(files []string, out, docs string) error {
	m := newMatrix()
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("open what tests said: %w", err)
		}
		err = m.read(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	m.summarise()
	err := result.Write(out, m)
	if docs != "" {
		err = errors.Join(err, m.document(docs))
	}
	return errors.Join(err, m.verdict())
}

// fault is a sort of fault, in the order of the table.
type fault string

const (
	errorBefore  fault = "error before"
	lostReply    fault = "lost reply"
	timeout      fault = "timeout"
	overload     fault = "overload"
	killServer   fault = "kill -9 of the server"
	killDatabase fault = "kill -9 of the database"
)

var sorts = []fault{errorBefore, lostReply, timeout, overload, killServer, killDatabase}

// tally is what came of the cases of one call and one fault.
type tally struct {
	Cases  int `json:"cases"`
	Failed int `json:"failed,omitempty"`
}

// matrix is the result: by database, call and fault.
type matrix struct {
	Began    time.Time                               `json:"began"`
	Cells    map[string]map[string]map[fault]*tally  `json:"cases"`
	Recovery map[string]map[fault]*recovery          `json:"recovery"`
	seconds  map[string]map[fault]map[string]float64 // by test
}

// recovery is how many seconds passed after kills until calls succeeded again: since
// the database took connections, or since the process was killed.
type recovery struct {
	Kills   int     `json:"kills"`
	Median  float64 `json:"median_seconds"`
	Slowest float64 `json:"slowest_seconds"`
}

func newMatrix() *matrix {
	return &matrix{
		Cells: map[string]map[string]map[fault]*tally{}, Recovery: map[string]map[fault]*recovery{},
		seconds: map[string]map[fault]map[string]float64{},
	}
}

// event is a line of "go test -json" (cmd/test2json).
type event struct {
	Time       time.Time
	Action     string
	Test       string
	Key, Value string // of an attribute
}

func (m *matrix) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("line %q: %w", lines.Text(), err)
		}
		if m.Began.IsZero() {
			m.Began = e.Time.UTC().Truncate(time.Second)
		}
		c, ok := parse(e.Test)
		if !ok {
			continue
		}
		switch e.Action {
		case "pass", "fail":
			m.count(c, e.Action == "fail")
		case "attr":
			if e.Key == "recovered_seconds" {
				m.took(c, e.Test, e.Value)
			}
		}
	}
	return lines.Err()
}

// testCase is one case of a test: which fault met which call on which database.
type testCase struct {
	database, call string
	fault          fault
}

// databases by the test that runs on them.
var databases = map[string]string{
	"TestCassandra": "Apache Cassandra", "TestKills/Apache_Cassandra": "Apache Cassandra",
	"TestCassandraEmbeddedDurable": "engine, cassandra", "TestCassandraEmbeddedEphemeral": "engine, cassandra", "TestKills/engine_cassandra": "engine, cassandra",
	"TestCassandraSuiteOnYCQLDurable": "engine, ycql", "TestCassandraSuiteOnYCQLEphemeral": "engine, ycql", "TestKills/engine_ycql": "engine, ycql",
}

var (
	// UpdateShard/deadline_before_request_2
	ofExecutions = regexp.MustCompile(`^(.+)/([a-z-]+)_(before|after)_request_\d+(?:#\d+)?$`)
	// task/CreateTasks,_ten_before/deadline_request_1
	ofOthers = regexp.MustCompile(`^([^/]+/.+)_(before|after)/([a-z-]+)_request_\d+(?:#\d+)?$`)
	// UpdateShard/during_request_2
	ofKills = regexp.MustCompile(`^(.+)/(?:before|during|after)_request_\d+(?:#\d+)?$`)
	// task/during/CreateTasks,_ten_request_1
	ofKillsOfOthers = regexp.MustCompile(`^([^/]+)/(?:before|during|after)/(.+)_request_\d+(?:#\d+)?$`)
)

// parse finds out what a test is about; false if it is not a case.
func parse(test string) (c testCase, ok bool) {
	for prefix, database := range databases {
		rest, found := strings.CutPrefix(test, prefix+"/")
		if !found {
			continue
		}
		c.database = database
		area, rest, _ := strings.Cut(rest, "/")
		switch area {
		case "faults":
			if p := ofExecutions.FindStringSubmatch(rest); p != nil {
				c.call, c.fault = p[1], sortOf(p[2], p[3])
			}
		case "faults-of-other-stores":
			if p := ofOthers.FindStringSubmatch(rest); p != nil {
				c.call, c.fault = p[1], sortOf(p[3], p[2])
			}
		case "server", "database":
			c.fault = killServer
			if area == "database" {
				c.fault = killDatabase
			}
			if p := ofKillsOfOthers.FindStringSubmatch(rest); p != nil {
				c.call = p[1] + "/" + p[2]
			} else if p := ofKills.FindStringSubmatch(rest); p != nil {
				c.call = p[1]
			}
		}
		c.call = strings.ReplaceAll(c.call, "_", " ")
		return c, c.call != ""
	}
	return c, false
}

// sortOf sorts the faults of package conformance.
func sortOf(name, when string) fault {
	switch {
	case strings.Contains(name, "timeout"), name == "deadline":
		return timeout
	case name == "overloaded":
		return overload
	case when == "after":
		return lostReply
	default:
		return errorBefore
	}
}
