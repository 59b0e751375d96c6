package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/compare/stats"
)

// Charts are drawn at the width of a phone, so that their text can be read there;
// wider screens put several beside each other.
const (
	chartWidth, chartHeight          = 360.0, 210.0
	chartLeft, chartRight, chartTop  = 46.0, 10.0, 26.0
	chartBottom                      = 34.0
	forestRow, forestTop, forestEdge = 36.0, 8.0, 8.0
)

// point is a place in a chart's units.
type point struct{ x, y float64 }

// line is one line of a chart; Class is "a" or "b".
type line struct {
	class  string
	name   string
	points []point
	marks  bool
}

// chart is a line chart as the template draws it.
type chart struct {
	Title, XLabel string
	W, H          float64
	X0, X1        float64 // the plot's edges
	Y0, Y1        float64 // bottom, top
	XTicks        []tick
	YTicks        []tick
	Lines         []drawn
	Label         string // what a screen reader says
}

type tick struct {
	At    float64
	Label string
}

type drawn struct {
	Class, Name, Points string
	Marks               []mark
}

type mark struct{ X, Y float64 }

// newChart scales lines. It returns nil if there is nothing to be seen.
func newChart(title, xLabel string, lines []line) *chart {
	c := &chart{
		Title: title, XLabel: xLabel, W: chartWidth, H: chartHeight,
		X0: chartLeft, X1: chartWidth - chartRight, Y0: chartHeight - chartBottom, Y1: chartTop,
	}
	minX, maxX, maxY := math.Inf(1), math.Inf(-1), 0.0
	points := 0
	for _, l := range lines {
		for _, p := range l.points {
			minX, maxX, maxY = min(minX, p.x), max(maxX, p.x), max(maxY, p.y)
			points++
		}
	}
	if points < 2 || maxX <= minX {
		return nil
	}
	if maxY == 0 {
		maxY = 1
	}
	minX = min(minX, max(0, minX-(maxX-minX)/20))
	xs, ys := steps(minX, maxX, 5), steps(0, maxY, 4)
	top := ys[len(ys)-1]
	x := func(v float64) float64 { return c.X0 + (v-minX)/(maxX-minX)*(c.X1-c.X0) }
	y := func(v float64) float64 { return c.Y0 - v/top*(c.Y0-c.Y1) }
	for _, v := range xs {
		if v >= minX && v <= maxX {
			c.XTicks = append(c.XTicks, tick{x(v), figureTick(v)})
		}
	}
	for _, v := range ys {
		c.YTicks = append(c.YTicks, tick{y(v), figureTick(v)})
	}
	var said []string
	for _, l := range lines {
		d := drawn{Class: l.class, Name: l.name}
		var places []string
		highest := 0.0
		for _, p := range l.points {
			places = append(places, fmt.Sprintf("%.1f,%.1f", x(p.x), y(p.y)))
			highest = max(highest, p.y)
			if l.marks {
				d.Marks = append(d.Marks, mark{x(p.x), y(p.y)})
			}
		}
		d.Points = strings.Join(places, " ")
		c.Lines = append(c.Lines, d)
		if l.name != "" {
			said = append(said, l.name+" up to "+figure(highest))
		}
	}
	c.Label = title + ": " + strings.Join(said, ", ")
	return c
}

func figureTick(v float64) string {
	if math.Abs(v) >= 10_000 {
		return strconv.FormatFloat(v/1000, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// steps returns about n round numbers from at most low to at least high.
func steps(low, high float64, n int) []float64 {
	raw := (high - low) / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * power
	for _, f := range []float64{1, 2, 5} {
		if f*power >= raw {
			step = f * power
			break
		}
	}
	var out []float64
	for i := math.Floor(low / step); ; i++ {
		v := i * step
		out = append(out, v)
		if v >= high-step*1e-9 {
			return out
		}
	}
}

// forest is a chart of ratios with their intervals, on a logarithmic axis.
type forest struct {
	W, H   float64
	X0, X1 float64
	Y1     float64 // of the axis
	One    float64 // where the ratio 1 is
	Low    float64 // the margin of "same", on the axis
	Band   float64 // its width
	Ticks  []tick
	Rows   []forestLine
	Label  string
}

type forestLine struct {
	Y, LabelY           float64
	Label, Full, Value  string
	Class               string // better, worse, same, undecided, other
	Left, Right, Middle float64
	CutLeft, CutRight   bool // the interval goes on beyond the axis
}

// forestItem is one row's data.
type forestItem struct {
	label, class string
	effect       stats.Effect
}

// widest bounds the axis: a wild interval of a few pairs must not make all others
// dots.
const widest = 8.0

func newForest(items []forestItem, margin float64) *forest {
	if len(items) == 0 {
		return nil
	}
	reach := max(margin, 1.1)
	for _, it := range items {
		for _, v := range []float64{it.effect.CI95.Low, it.effect.CI95.High, it.effect.Ratio} {
			if v > 0 && !math.IsInf(v, 0) && !math.IsNaN(v) {
				reach = max(reach, v, 1/v)
			}
		}
	}
	reach = min(reach*1.05, widest)
	f := &forest{
		W: chartWidth, H: forestTop + float64(len(items))*forestRow + chartBottom,
		X0: forestEdge, X1: chartWidth - forestEdge,
	}
	f.Y1 = f.H - chartBottom + 4
	x := func(ratio float64) float64 {
		ratio = min(max(ratio, 1/reach), reach)
		return f.X0 + (math.Log(ratio)/math.Log(reach)+1)/2*(f.X1-f.X0)
	}
	f.One, f.Low, f.Band = x(1), x(1/margin), x(margin)-x(1/margin)
	for _, r := range ratioTicks(reach) {
		f.Ticks = append(f.Ticks, tick{x(r), ratioLabel(r)})
	}
	for i, it := range items {
		y := forestTop + float64(i)*forestRow
		e := it.effect
		row := forestLine{
			LabelY: y + 13, Y: y + 24, Full: it.label, Label: shorten(it.label, 42), Class: it.class,
			Value: change(e.Ratio), Left: x(e.CI95.Low), Right: x(e.CI95.High), Middle: x(e.Ratio),
			CutLeft: e.CI95.Low < 1/reach, CutRight: e.CI95.High > reach,
		}
		f.Rows = append(f.Rows, row)
	}
	f.Label = fmt.Sprintf("%d ratios of B to A with their 95 %% intervals; the tables below hold the same figures", len(items))
	return f
}

// ratioTicks are round ratios within the axis, the same to both sides of 1.
func ratioTicks(reach float64) []float64 {
	for _, set := range [][]float64{{1.05}, {1.1}, {1.2}, {1.5}, {2}, {2, 4}, {2, 4, 8}} {
		if set[len(set)-1] >= reach/1.6 {
			out := []float64{1}
			for _, r := range set {
				if r <= reach {
					out = append(out, r, 1/r)
				}
			}
			return out
		}
	}
	return []float64{1}
}

// ratioLabel writes ratios of an axis so that both sides can be compared: x2, /2.
func ratioLabel(r float64) string {
	switch {
	case r == 1:
		return "same"
	case r >= 2:
		return "×" + strconv.FormatFloat(r, 'g', 3, 64)
	case r > 1:
		return change(r)
	case r <= 0.5:
		return "÷" + strconv.FormatFloat(1/r, 'g', 3, 64)
	default:
		return change(r)
	}
}
