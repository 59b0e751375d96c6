package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// A cost is flat if at the largest size it is at most so many times what it is at the
// smallest. Processor time varies from run to run; counts do not.
const (
	flatCPU    = 1.5
	flatCounts = 1.1
)

// fewest calls at a point that a ratio is made of, where a call is the unit.
const fewest = 30

// Result is the whole of a run. What was not measured is absent.
type Result struct {
	Date    time.Time      `json:"date"`
	Command []string       `json:"command"`
	Note    string         `json:"note,omitempty"`
	Program result.Program `json:"program"`
	Machine result.Machine `json:"machine"`
	// LoadBefore and LoadAfter are the machine's, one minute: what else ran.
	LoadBefore string     `json:"loadBefore"`
	LoadAfter  string     `json:"loadAfter"`
	Arm        result.Arm `json:"arm"`
	Seed       uint64     `json:"seed"`
	CallsEach  int        `json:"callsEach"`
	Shards     int        `json:"shards"` // but for the series of shards
	Seconds    float64    `json:"seconds"`
	// Complete is false for a run that broke off; Error says why.
	Complete bool      `json:"complete"`
	Error    string    `json:"error,omitempty"`
	Verdicts []Verdict `json:"verdicts"`
	Series   []*Series `json:"series"`
}

// Series is one thing that grows.
type Series struct {
	Name   string   `json:"name"`
	Of     string   `json:"of"` // what sizes count
	Points []*Point `json:"points"`
}

// Point is one size.
type Point struct {
	Size int `json:"size"`
	// Fill is what was done to get here from the point before, or from nothing.
	Fill struct {
		Calls      int     `json:"calls"`
		Seconds    float64 `json:"seconds"`
		CPUSeconds float64 `json:"cpuSeconds"` // of this process
	} `json:"fill"`
	// Settled is how many seconds later the database was idle, or not waited for any
	// longer.
	Settled float64 `json:"settledAfterSeconds"`
	// DiskBytes are all files of the database then, logs included.
	DiskBytes *int64 `json:"diskBytes,omitempty"`
	// DiskPerWorkflow is DiskBytes for each workflow, where that is what there is.
	DiskPerWorkflow *float64 `json:"diskBytesPerWorkflow,omitempty"`
	// Heap is what is in use of this process's heap after a collection, and Memory
	// what the process holds in memory beside mapped files, both then and in bytes.
	// The embedded engine is in this process.
	Heap   int64 `json:"heapBytes"`
	Memory int64 `json:"memoryBytes,omitempty"`
	// HeapPerShard is by how much heap in use grew as all shards were made, in bytes.
	HeapPerShard *float64  `json:"heapBytesPerShard,omitempty"`
	Calls        []Figures `json:"calls"`
}

// Figures are of one kind of call at one point. CPU, allocations and counts are for
// each unit; times for each call.
type Figures struct {
	Call     string `json:"call"`
	InFlight int    `json:"inFlight"`
	Per      string `json:"per"` // the unit: call or event
	Count    int    `json:"count"`
	// Errors are calls whose first attempt failed. They were repeated and have no time.
	Errors int `json:"errors"`
	// P50, P90 and P99 are milliseconds of service time.
	P50 float64 `json:"p50ms"`
	P90 float64 `json:"p90ms"`
	P99 float64 `json:"p99ms"`
	// CPU is microseconds of this process, an embedded engine and what it does beside
	// included; CPUMedian is the median over ten parts of the calls, which leaves out
	// what comes in bursts: compactions, and other work on the machine. DatabaseCPU is of
	// the database's processes on this machine, to 10 ms in all.
	CPU         float64  `json:"cpuMicroseconds"`
	CPUMedian   float64  `json:"cpuMedianMicroseconds"`
	DatabaseCPU *float64 `json:"databaseCPUMicroseconds,omitempty"`
	// Objects and Bytes are allocated in this process.
	Objects float64 `json:"allocatedObjects"`
	Bytes   float64 `json:"allocatedBytes"`
	// Statements, Trips (requests one after the other) and Rows are the driver's;
	// Rounds and Commits are the embedded engine's count of serial rounds of a cluster.
	Statements *float64 `json:"statements,omitempty"`
	Trips      *float64 `json:"trips,omitempty"`
	Rows       *float64 `json:"rows,omitempty"`
	Rounds     *float64 `json:"rounds,omitempty"`
	Commits    *float64 `json:"commits,omitempty"`
}

// Verdict compares a kind of call at two sizes of a series: the smallest and the
// largest at which it was made often enough.
type Verdict struct {
	Series   string `json:"series"`
	Call     string `json:"call"`
	InFlight int    `json:"inFlight"`
	Per      string `json:"per"`
	From     int    `json:"from"`
	To       int    `json:"to"`
	// CPU (of medians) and so on are ratios, largest to smallest.
	CPU         float64  `json:"cpuRatio"`
	DatabaseCPU *float64 `json:"databaseCPURatio,omitempty"`
	P50         float64  `json:"p50Ratio"`
	Objects     float64  `json:"objectsRatio"`
	Rounds      *float64 `json:"roundsRatio,omitempty"`
	Trips       *float64 `json:"tripsRatio,omitempty"`
	Rows        *float64 `json:"rowsRatio,omitempty"`
	// Flat: CPU is within 1.5, rounds, trips and rows within 1.1.
	Flat bool `json:"flat"`

	first, last Figures
}

// judge makes the verdicts.
func (r *Result) judge() {
	r.Verdicts = []Verdict{}
	for _, s := range r.Series {
		type kind struct {
			call     string
			inFlight int
		}
		at := map[kind]int{}
		var all []Verdict
		for _, p := range s.Points {
			for _, f := range p.Calls {
				if f.Per == "call" && f.Count < fewest { // others are of many units each
					continue
				}
				k := kind{f.Call, f.InFlight}
				i, known := at[k]
				if !known {
					at[k] = len(all)
					all = append(all, Verdict{Series: s.Name, Call: f.Call, InFlight: f.InFlight, Per: f.Per, From: p.Size, first: f})
					continue
				}
				all[i].To, all[i].last = p.Size, f
			}
		}
		for i := range all {
			if all[i].To > 0 {
				all[i].compare()
				r.Verdicts = append(r.Verdicts, all[i])
			}
		}
	}
	order := func(v Verdict) int { return slices.Index(allSeries, v.Series) }
	slices.SortStableFunc(r.Verdicts, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(a.InFlight, b.InFlight))
	})
}

func (v *Verdict) compare() {
	a, b := &v.first, &v.last
	const least = 0.001 // nothing is divided by zero, which JSON could not say
	v.CPU, v.P50, v.Objects = b.CPUMedian/max(least, a.CPUMedian), b.P50/max(least, a.P50), b.Objects/max(least, a.Objects)
	v.DatabaseCPU, v.Rounds = ratio(a.DatabaseCPU, b.DatabaseCPU), ratio(a.Rounds, b.Rounds)
	v.Trips, v.Rows = ratio(a.Trips, b.Trips), ratio(a.Rows, b.Rows)
	v.Flat = v.CPU <= flatCPU
	for _, counted := range []*float64{v.Rounds, v.Trips, v.Rows} {
		v.Flat = v.Flat && (counted == nil || *counted <= flatCounts)
	}
}

// ratio is nil where there is nothing to compare.
func ratio(from, to *float64) *float64 {
	if from == nil || to == nil || *from == 0 {
		return nil
	}
	r := *to / *from
	return &r
}

// print writes the table.
func (r *Result) print(w io.Writer) error {
	text := &strings.Builder{}
	fmt.Fprintf(text, "%s; flat: at the largest size at most %g times the processor time (CPU, median of ten parts), %g times the rounds, trips and rows\n", r.Arm.Title, flatCPU, flatCounts)
	for _, s := range r.Series {
		fmt.Fprintf(text, "\n%s: %s\n", s.Name, s.Of)
		points, calls := columns(text), columns(text)
		for _, p := range s.Points {
			points.row(count(p.Size), p.about())
		}
		calls.row("call", "in flight", "sizes", "CPU us", "allocs", "rounds", "trips", "rows", "p50 ms", "")
		for _, v := range r.Verdicts {
			if v.Series == s.Name {
				calls.row(v.cells()...)
			}
		}
		if err := errors.Join(points.Flush(), calls.Flush()); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

type columnar struct{ *tabwriter.Writer }

func columns(w io.Writer) columnar { return columnar{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

func (c columnar) row(cells ...string) { _, _ = fmt.Fprintln(c, "  "+strings.Join(cells, "\t")) } // Flush reports

// cells are a verdict's line in the table.
func (v *Verdict) cells() []string {
	a, b := &v.first, &v.last
	name, p50 := v.Call, between(&a.P50, &b.P50)
	if v.Per != "call" { // times are of whole calls
		name, p50 = name+", per "+v.Per, "-"
	}
	verdict := "flat"
	if !v.Flat {
		verdict = "NOT FLAT: " + v.why()
	}
	return []string{
		name, strconv.Itoa(v.InFlight), count(v.From) + " to " + count(v.To), between(&a.CPUMedian, &b.CPUMedian), between(&a.Objects, &b.Objects),
		between(a.Rounds, b.Rounds), between(a.Trips, b.Trips), between(a.Rows, b.Rows), p50, verdict,
	}
}

// about says what a point took and holds.
func (p *Point) about() string {
	parts := []string{fmt.Sprintf("filled in %.1f s", p.Fill.Seconds)}
	if p.Fill.Calls > 0 {
		parts = append(parts, fmt.Sprintf("%.0f us of CPU for each of %d calls", 1e6*p.Fill.CPUSeconds/float64(p.Fill.Calls), p.Fill.Calls))
	}
	if p.DiskBytes != nil {
		parts = append(parts, fmt.Sprintf("%.0f kB on disk", float64(*p.DiskBytes)/1e3))
	}
	if p.DiskPerWorkflow != nil {
		parts = append(parts, fmt.Sprintf("%.0f bytes for each workflow", *p.DiskPerWorkflow))
	}
	parts = append(parts, fmt.Sprintf("heap %.0f MB, memory %.0f MB", float64(p.Heap)/1e6, float64(p.Memory)/1e6))
	if p.HeapPerShard != nil {
		parts = append(parts, fmt.Sprintf("%.1f kB of heap for each new shard", *p.HeapPerShard/1e3))
	}
	return strings.Join(parts, ", ")
}

// why says what is not flat.
func (v *Verdict) why() string {
	var all []string
	add := func(name string, ratio *float64, most float64) {
		if ratio != nil && *ratio > most {
			all = append(all, fmt.Sprintf("%s times %.2f", name, *ratio))
		}
	}
	add("CPU", &v.CPU, flatCPU)
	add("rounds", v.Rounds, flatCounts)
	add("trips", v.Trips, flatCounts)
	add("rows", v.Rows, flatCounts)
	return strings.Join(all, ", ")
}

func between(from, to *float64) string {
	if from == nil || to == nil {
		return "-"
	}
	a, b := figure(*from), figure(*to)
	if a == b {
		return a
	}
	return a + " to " + b
}

// figure has three digits that count, and none behind hundreds.
func figure(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// count is a size with as few digits as say it.
func count(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%dM", n/1_000_000)
	case n >= 1_000 && n%1_000 == 0:
		return fmt.Sprintf("%dk", n/1_000)
	default:
		return strconv.Itoa(n)
	}
}
