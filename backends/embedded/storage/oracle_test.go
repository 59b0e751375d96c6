package storage

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// oracle is the naive model: it keeps every cell ever won and every deletion,
// and works out what is visible when asked.
type oracle struct {
	sequential bool
	parts      map[int]*opart
	seq        int
}

type opart struct {
	rows   map[okey]*orow
	graves []ograve
}

type okey struct {
	static bool
	a      int
	b      string
}

type orow struct {
	live  *ocell
	cells map[string]*ocell // column, then element key
}

type ocell struct {
	col, seq, pos int
	key, value    []byte
	dead          bool
	ts            int64
	ttl           int32
	expiry        int64
}

type ograve struct {
	covers func(k okey, c *ocell) bool
	ts     int64
	seq    int
}

func (o *oracle) part(p int) *opart {
	if o.parts[p] == nil {
		o.parts[p] = &opart{rows: map[okey]*orow{}}
	}
	return o.parts[p]
}

func (o *oracle) row(p int, k okey) *orow {
	rows := o.part(p).rows
	if rows[k] == nil {
		rows[k] = &orow{cells: map[string]*ocell{}}
	}
	return rows[k]
}

func (o *oracle) bury(p int, ts int64, covers func(okey, *ocell) bool) {
	o.seq++
	o.part(p).graves = append(o.part(p).graves, ograve{covers, ts, o.seq})
}

// better reports whether a replaces b.
func (o *oracle) better(a, b *ocell) bool {
	if b == nil {
		return true
	}
	if a.ts != b.ts {
		return a.ts > b.ts
	}
	if o.sequential {
		return a.seq > b.seq
	}
	if x, y := a.dead || a.expiry != 0, b.dead || b.expiry != 0; x != y {
		return x
	}
	if a.dead != b.dead {
		return a.dead
	}
	if a.expiry != b.expiry {
		return a.expiry > b.expiry
	}
	return bytes.Compare(a.value, b.value) > 0
}

func (o *oracle) put(p int, k okey, c *ocell) {
	o.seq++
	c.seq = o.seq
	row := o.row(p, k)
	addr := fmt.Sprintf("%d/%x", c.col, c.key)
	if c.pos != 0 {
		addr = fmt.Sprintf("%d/pos%d", c.col, c.pos)
	}
	if o.better(c, row.cells[addr]) {
		row.cells[addr] = c
	}
}

func (o *oracle) mark(p int, k okey, c *ocell) {
	o.seq++
	c.seq, c.col = o.seq, -1
	if row := o.row(p, k); o.better(c, row.live) {
		row.live = c
	}
}

func (o *oracle) visible(p int, k okey, c *ocell, now int64) bool {
	if c == nil || c.dead || c.expiry != 0 && c.expiry <= now {
		return false
	}
	for _, g := range o.parts[p].graves {
		if !g.covers(k, c) {
			continue
		}
		if g.ts > c.ts || g.ts == c.ts && (!o.sequential || g.seq > c.seq) {
			return false
		}
	}
	return true
}

// render shows a visible row as text; empty if it does not exist.
func (o *oracle) render(p int, k okey, now int64) string {
	row := o.parts[p].rows[k]
	exists := false
	var s strings.Builder
	if o.visible(p, k, row.live, now) {
		exists = true
		s.WriteString(" inserted")
	}
	var cells []*ocell
	for _, c := range row.cells {
		if o.visible(p, k, c, now) {
			cells = append(cells, c)
		}
	}
	sort.Slice(cells, func(i, j int) bool {
		a, b := cells[i], cells[j]
		if a.col != b.col {
			return a.col < b.col
		}
		if a.pos != b.pos {
			return a.pos < b.pos
		}
		return elemLess(a.col, a.key, b.key)
	})
	for _, c := range cells {
		exists = true
		key := c.key
		if c.col == colList {
			key = nil
		}
		fmt.Fprintf(&s, " %d[%x]=%x@%d/%d/%d", c.col, key, c.value, c.ts, c.ttl, c.expiry)
	}
	if !exists {
		return ""
	}
	return fmt.Sprintf("%d %v:%s", p, k, s.String())
}

func elemLess(col int, a, b []byte) bool {
	if col == colMap {
		return native(cqltype.Int).Compare(a, b) < 0
	}
	return bytes.Compare(a, b) < 0
}

// keys returns the row keys of a partition in stored order.
func (o *oracle) keys(p int) []okey {
	var keys []okey
	if part := o.parts[p]; part != nil {
		for k := range part.rows {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

func compareKeys(x, y okey) int {
	switch {
	case x.static != y.static:
		if x.static {
			return -1
		}
		return 1
	case x.a != y.a:
		return x.a - y.a
	default:
		return strings.Compare(y.b, x.b) // descending
	}
}
