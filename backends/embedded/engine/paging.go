package engine

import (
	"encoding/binary"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// A paging state says behind which row the next page begins. It may come from
// anywhere: whatever it holds, it can only choose a place in the statement's own
// table. It is bound to the table, not to the statement: both servers take a state
// of one statement for another (Temporal pages its Nexus endpoints so). Its form:
// format, number of the table, rows left of LIMIT and PER PARTITION LIMIT (plus
// one, 0 for none), the partition key, the clustering key.

const pagingFormat = 1

// place is a row that was read; with no clustering key the whole partition was.
type place struct{ key, ck [][]byte }

func (q *reading) state() []byte {
	b := []byte{pagingFormat}
	b = binary.BigEndian.AppendUint32(b, q.p.tab.def.Num)
	b = binary.AppendUvarint(b, uint64(q.left+1))
	b = binary.AppendUvarint(b, uint64(q.perLeft+1))
	b = appendValues(b, q.last.key)
	return appendValues(b, q.last.ck)
}

func appendValues(b []byte, v [][]byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	for _, x := range v {
		b = binary.AppendUvarint(b, uint64(len(x)))
		b = append(b, x...)
	}
	return b
}

func badState(ycql bool) error {
	if ycql {
		return cqlerr.QLPlain(cqlerr.InvalidArguments, "Invalid paging state")
	}
	return wire.Errorf(wire.CodeProtocolError, "Invalid value for the paging state")
}

// resume takes a paging state in.
func (q *reading) resume(state []byte) error {
	if len(state) < 5 || state[0] != pagingFormat || binary.BigEndian.Uint32(state[1:]) != q.p.tab.def.Num {
		return badState(q.ycql)
	}
	d := stateReader{b: state[5:]}
	left, per := d.uvarint(), d.uvarint()
	from := &place{key: d.values(), ck: d.values()}
	def := q.p.tab.def
	pks := def.PartitionKey
	if q.p.tab.virtual != nil {
		pks = nil
		d.bad = d.bad || len(from.key) != 1 || len(from.key[0]) != 4 || len(from.ck) > 0
	} else {
		d.bad = d.bad || len(from.key) != len(pks) || len(from.ck) != 0 && len(from.ck) != len(def.ClusteringKey)
	}
	if d.bad || len(d.b) > 0 {
		return badState(q.ycql)
	}
	for i, c := range pks {
		if c.Type.Validate(from.key[i]) != nil {
			return badState(q.ycql)
		}
	}
	for i := range from.ck {
		if def.ClusteringKey[i].Type.Validate(from.ck[i]) != nil {
			return badState(q.ycql)
		}
	}
	if len(from.ck) == 0 {
		from.ck = nil
	}
	q.from = from
	q.skip = 0
	if q.left >= 0 && left > 0 {
		q.left = min(q.left, int64(left)-1)
	}
	if q.perLimit >= 0 && per > 0 {
		q.perLeft = min(q.perLimit, int64(per)-1)
	}
	return nil
}

type stateReader struct {
	b   []byte
	bad bool
}

func (d *stateReader) uvarint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || n > 1<<40 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *stateReader) values() [][]byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	out := make([][]byte, 0, n)
	for range n {
		size := d.uvarint()
		if size > uint64(len(d.b)) {
			d.bad = true
			return nil
		}
		out = append(out, slices.Clone(d.b[:size:size]))
		if out[len(out)-1] == nil {
			out[len(out)-1] = []byte{}
		}
		d.b = d.b[size:]
	}
	return out
}

// sort puts the rows of several partitions in ORDER BY's order: by the clustering
// columns.
func (q *reading) sort(res *server.Result) {
	cols := q.p.tab.def.ClusteringKey
	order := make([]int, res.RowCount())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		d := compareClustering(cols, q.sortKeys[a], q.sortKeys[b])
		if q.p.reverse {
			d = -d
		}
		return d
	})
	out := make([][]byte, 0, len(res.Cells))
	for _, i := range order {
		out = append(out, res.Row(i)...)
	}
	res.Cells = out
}
