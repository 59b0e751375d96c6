// Package result is what a comparison found, as JSON: the contract between the
// levels that measure, the orchestrator that judges, the page for people and
// programs that read the file. A [Run] is one file.
//
// The form is versioned. Fields may be added within a version; whoever reads must
// ignore those that it does not know. A field that changes its meaning, or goes,
// makes a new version, and [Read] refuses versions that it does not know. Times are
// RFC 3339 in UTC; durations are nanoseconds, except in histograms (compressed
// HdrHistogram V2 of microseconds, base64); ratios are B over A, so that 0.7 means
// that B needs 30 % less.
//
// A quantity that was not measured is absent (a nil pointer, a missing key): absent
// is not zero. What a reader may rely on:
//
//   - Blocks are in the order in which they ran. A block that was contaminated says
//     why, and the one that repeated it says so in Repeats: blocks of use are those
//     that nothing repeats ([Run.Used]).
//   - Two used blocks of one Scenario and Pair, one of each arm, form a pair.
//   - Verdicts hold what they were judged by, Text holds it in words.
//   - Complete is false for a run that was interrupted or broke off; Error says why.
//     What was measured until then is there.
package result

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/compare/stats"
)

// Version is that of the form.
const Version = 1

// The arms.
const (
	A = "a"
	B = "b"
)

// Run is a whole comparison.
type Run struct {
	Version int    `json:"version"`
	Header  Header `json:"header"`
	// Complete tells that every planned block ran.
	Complete bool `json:"complete"`
	// Error is why a run that is not complete ended, in one line.
	Error string `json:"error,omitempty"`
	// Warnings limit what the run may be used for, each a sentence: blocks that
	// stayed contaminated, states that could not be compared.
	Warnings   []string    `json:"warnings,omitempty"`
	Verdicts   []Verdict   `json:"verdicts"`
	Agreements []Agreement `json:"agreements,omitempty"`
	Blocks     []*Block    `json:"blocks"`
}

// Header is what was compared, where and how.
type Header struct {
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Level is "store" or "cluster".
	Level string `json:"level"`
	// Same tells that both arms are A: what the run finds is the instrument's own
	// noise (A/A).
	Same    bool     `json:"same,omitempty"`
	Seed    uint64   `json:"seed"`
	Command []string `json:"command"`
	Program Program  `json:"program"`
	Machine Machine  `json:"machine"`
	// Plan is the plan with all defaults filled in.
	Plan json.RawMessage `json:"plan"`
	// Pairs is how many pairs of blocks were planned for each scenario.
	Pairs  int   `json:"pairs"`
	Shards int   `json:"shards"`
	Arms   []Arm `json:"arms"` // A, then B
	// Differences are where the configurations of the arms differ, secrets
	// removed. What is not listed here is the same in both.
	Differences []Difference `json:"differences"`
	// Prices are what costs of workflows were computed with; nil: there are none.
	Prices *Prices `json:"prices,omitempty"`
}

// Arm describes one side.
type Arm struct {
	Name string `json:"name"` // "a" or "b"
	// Title is for people, e.g. "embedded ycql, in memory" or "stock SQLite, file".
	Title string `json:"title"`
	// Stock tells upstream's own stores from ours.
	Stock bool `json:"stock"`
	// Backend is ours by name (embedded, yugabyte, cassandra), or the kind of stock
	// store (cassandra) or SQL plugin (sqlite, postgres12, mysql8).
	Backend string `json:"backend"`
	Dialect string `json:"dialect,omitempty"` // of CQL
	// Server is the database's product and version as it says itself; empty: unknown.
	Server        string `json:"server,omitempty"`
	SchemaVersion string `json:"schemaVersion,omitempty"`
	Replication   string `json:"replication,omitempty"`
	Consistency   string `json:"consistency,omitempty"`
	// Durable says when a write that was answered survives what, in words.
	Durable string `json:"durable,omitempty"`
	// NoDatabaseCPU is why the processor time of the database's own processes is not
	// known, e.g. because they are on another machine. Empty: it is known, or the
	// database has no process of its own.
	NoDatabaseCPU string `json:"noDatabaseCPU,omitempty"`
	// Inside tells that the database is part of the process that opens it, InMemory that
	// it keeps no files.
	Inside   bool `json:"inside,omitempty"`
	InMemory bool `json:"inMemory,omitempty"`
	// Digests tells that records can be read and summed up here.
	Digests bool `json:"digests"`
	// Configuration is the whole of it as YAML, secrets masked.
	Configuration string `json:"configuration"`
}

// SetUnknown notes why the database's processes are not known; nil: they are.
func (a *Arm) SetUnknown(why error) {
	if why != nil {
		a.NoDatabaseCPU = strings.ReplaceAll(why.Error(), "\n", "; ")
	}
}

// Difference is one setting in which the arms differ. "" is not set.
type Difference struct {
	Path string `json:"path"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// Program is what measured.
type Program struct {
	Name     string `json:"name"`
	Revision string `json:"revision,omitempty"` // of the source; empty: built without
	Modified bool   `json:"modified,omitempty"` // the source had changes beside it
	Server   string `json:"server"`             // version of the linked Temporal server
	Go       string `json:"go"`
}

// Machine is where the generator ran, and with it databases inside of it.
type Machine struct {
	System     string `json:"system"` // e.g. "linux/amd64 6.1.0"
	Processor  string `json:"processor,omitempty"`
	Processors int    `json:"processors"`
	Memory     int64  `json:"memory,omitempty"` // bytes
	Clock      string `json:"clock,omitempty"`  // source of the system's clock
}

// Block is one measurement of one arm in one scenario on a database of its own.
type Block struct {
	// Index counts the blocks of the run from 0, repetitions included.
	Index int    `json:"index"`
	Pair  int    `json:"pair"`
	Arm   string `json:"arm"`
	// Scenario is what was done, e.g. "mix 400/s", "ramp", "one activity".
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	// Contaminated are the reasons for which the block says nothing about its arm:
	// the generator lagged, others used the machine. Empty: none.
	Contaminated []string `json:"contaminated,omitempty"`
	// Repeats is the index of the contaminated block that this one repeats.
	Repeats *int `json:"repeats,omitempty"`

	// From and To bound what was measured, setting up and warm-up left out.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Warmup is how long it took until the arm was steady; Steady is false if it was
	// not by the time that it was allowed.
	Warmup time.Duration `json:"warmup"`
	Steady bool          `json:"steady"`

	// Offered and Achieved are rates in pieces of work a second. A closed loop has
	// no offered rate.
	Offered  float64         `json:"offered,omitempty"`
	Achieved float64         `json:"achieved"`
	Lag      *load.Histogram `json:"lag,omitempty"` // of the generator
	// Others is the share of the machine's processors that processes took which
	// belong to neither generator nor arm, 0 to 1.
	Others *float64 `json:"others,omitempty"`

	// Calls are store calls by name, e.g. "UpdateWorkflowExecution"; of the cluster
	// level also requests of clients and whole workflows.
	Calls map[string]*Call `json:"calls"`
	// Quantities are single figures of the block, by name (see the constants).
	Quantities map[string]Quantity `json:"quantities,omitempty"`
	Series     []Series            `json:"series,omitempty"`
	// Steps are those of a ramp.
	Steps []Step `json:"steps,omitempty"`
}

// Call is what was measured of one kind of call in a block.
type Call struct {
	// Response counts from the intended start, Service from the actual one. Both hold
	// calls that ended as they should, refusals that were expected included.
	Response *load.Histogram `json:"response"`
	Service  *load.Histogram `json:"service"`
	// Errors are counted by kind, and have no latency. Refusals are conditions that
	// did not hold; Unknown are calls of which nobody knows whether they took
	// effect. Both are among Errors too, unless they were expected.
	Errors   map[string]int64 `json:"errors,omitempty"`
	Refusals int64            `json:"refusals,omitempty"`
	Unknown  int64            `json:"unknown,omitempty"`
	// What the calls cost, in sum, those that failed included. Statements and
	// RoundTrips are counted where the stores are ours or stock's for Cassandra;
	// RoundTrips are those that wait for one another. SerialRounds and Commits are
	// what a cluster would do one after the other, by the embedded engine's count: the
	// mean of calls of this kind that were made one at a time after the measurement,
	// times Completed.
	Statements   *int64 `json:"statements,omitempty"`
	RoundTrips   *int64 `json:"roundTrips,omitempty"`
	SerialRounds *int64 `json:"serialRounds,omitempty"`
	Commits      *int64 `json:"commits,omitempty"`
	Rows         *int64 `json:"rows,omitempty"`      // read
	BytesOut     *int64 `json:"bytesOut,omitempty"`  // of bound values, without frames
	BytesIn      *int64 `json:"bytesIn,omitempty"`   // of values read
	Texts        *int64 `json:"texts,omitempty"`     // distinct statement texts
	Attempts     *int64 `json:"attempts,omitempty"`  // of writes, repetitions included
	Completed    int64  `json:"completed,omitempty"` // equals Response's count; for readers without HdrHistogram
}

// Quantity is a figure with its unit.
type Quantity struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Better says which way is better: "less", "more", or "" if neither is.
	Better string `json:"better,omitempty"`
	// Judged quantities are questions of the run: each gets a verdict.
	Judged bool `json:"judged,omitempty"`
}

// Names of quantities. Levels may add others. "Per" is per store call on the store
// level and per workflow on the cluster level.
const (
	GeneratorCPU = "generator CPU"             // ms per piece; with embedded databases the arm's too
	ServerCPU    = "server CPU"                // ms per workflow
	DatabaseCPU  = "database CPU"              // ms per piece, of the database's own processes
	Allocations  = "allocations"               // objects per piece
	Allocated    = "allocated bytes"           // bytes per piece
	DiskGrowth   = "disk growth"               // bytes per piece
	Statements   = "statements"                // per piece
	Texts        = "statement texts"           // distinct, in all
	Throughput   = "throughput"                // pieces a second
	Knee         = "knee"                      // pieces a second that a ramp found
	Unfinished   = "unfinished at the end"     // pieces that were under way when the last one was offered
	ScheduleWait = "schedule-to-start"         // ms
	PreparedMiss = "prepared statement misses" // count
)

// Series is a figure over time.
type Series struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Points are [seconds since the block's From, value], ascending.
	Points [][2]float64 `json:"points"`
}

// Names of series that every level gives.
const (
	SeriesRate = "achieved rate" // pieces a second
	SeriesP50  = "p50"           // ms of response time, of all calls that began in the second
	SeriesP99  = "p99"
)

// Names of series that are there where they are known. Lags are from the time of a
// task of history to its end, the mean of those that ended since the point before.
const (
	SeriesTransferLag   = "lag of transfer tasks, mean"
	SeriesTimerLag      = "lag of timer tasks, mean"
	SeriesVisibilityLag = "lag of visibility tasks, mean"
	SeriesBacklog       = "backlog of task queues" // as matching estimates it
	SeriesCompactions   = "compactions"            // of the whole database, other keyspaces included
	CompactionUnit      = "ended a second"
)

// Step is one rate of a ramp.
type Step struct {
	Offered  float64       `json:"offered"`
	Achieved float64       `json:"achieved"`
	P50      time.Duration `json:"p50"` // of response time
	P99      time.Duration `json:"p99"`
	// Holds tells that the objective held and no backlog grew.
	Holds bool   `json:"holds"`
	Why   string `json:"why,omitempty"` // why not
}

// Verdict answers one question: do the arms differ in one figure?
type Verdict struct {
	Scenario string `json:"scenario"`
	// Call and Quantile name a latency ("UpdateWorkflowExecution", 0.99); else
	// Quantity names a figure.
	Call     string  `json:"call,omitempty"`
	Quantile float64 `json:"quantile,omitempty"`
	Quantity string  `json:"quantity,omitempty"`
	// Family is the group of questions that were corrected together.
	Family string `json:"family"`
	// A and B are the figure of each arm over all used blocks, in Unit: of latencies
	// the quantile of the merged histograms, else the mean.
	A      float64 `json:"a"`
	B      float64 `json:"b"`
	Unit   string  `json:"unit"`
	Better string  `json:"better,omitempty"`
	// Effect is missing where there are too few pairs; Verdict is then "undecided".
	Effect *stats.Effect `json:"effect,omitempty"`
	// CorrectedP is Effect.P after Holm's correction over the family.
	CorrectedP float64       `json:"correctedP,omitempty"`
	Margin     float64       `json:"margin"` // 1.05: within 5 % is the same
	Verdict    stats.Verdict `json:"verdict"`
	// Text is one sentence, e.g. "B needs 31 % less time for UpdateWorkflowExecution
	// at p99, 95 % interval 24 to 37 %".
	Text string `json:"text"`
}

// How states were compared.
const (
	ByRecords = "records" // digests of every table's logical records
	ByStores  = "stores"  // reads through the stores of both arms: the database has no record stream
)

// Agreement is whether the same sequence left the same logical state in both arms.
type Agreement struct {
	Scenario string `json:"scenario"`
	Pair     int    `json:"pair"`
	How      string `json:"how"`
	Equal    bool   `json:"equal"`
	// Counts are what was compared, by family of records or kind of read: A, then B.
	Counts map[string][2]int64 `json:"counts,omitempty"`
	// Differences are the first ones; More is how many there are beyond them.
	Differences []FieldDifference `json:"differences,omitempty"`
	More        int               `json:"more,omitempty"`
	// Note says what was left out and why.
	Note string `json:"note,omitempty"`
}

// FieldDifference is a field in which a record differs. A record that one arm lacks
// has the Field "".
type FieldDifference struct {
	Unit   string `json:"unit,omitempty"` // e.g. "shard/7"
	Record string `json:"record"`         // kind and key
	Field  string `json:"field,omitempty"`
	A      string `json:"a"` // "": absent
	B      string `json:"b"`
}
