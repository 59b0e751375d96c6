package engine

import (
	"context"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
)

const (
	// maxResult is how many bytes one answer to a SELECT may hold, in memory: neither
	// server pages a client that does not ask for it, so a scan could fill the process.
	maxResult = 128 << 20
	// cellOverhead is what a value costs beside its bytes: a slice header.
	cellOverhead = 24
	// askEvery is the number of rows after which a read asks whether its client is
	// still there. A power of two.
	askEvery = 256
)

// rowsOut collects the cells of a result; values are copied into chunks.
type rowsOut struct {
	cells [][]byte
	chunk []byte
	rows  int
	size  int // bytes of the values and of what points at them
}

func (o *rowsOut) add(v []byte) {
	o.size += len(v) + cellOverhead
	if v == nil {
		o.cells = append(o.cells, nil)
		return
	}
	if o.chunk == nil || cap(o.chunk)-len(o.chunk) < len(v) { // an empty value is no null
		o.chunk = make([]byte, 0, max(len(v), min(64<<10, max(512, 2*cap(o.chunk)))))
	}
	start := len(o.chunk)
	o.chunk = append(o.chunk, v...)
	o.cells = append(o.cells, o.chunk[start:len(o.chunk):len(o.chunk)])
}

// step is called for each row that is read, matching or not: a scan ends when the
// request's context does, which it does with the connection.
func (q *reading) step() error {
	q.steps++
	if q.steps%askEvery != 0 {
		return nil
	}
	if err := context.Cause(q.ctx); err != nil {
		return fmt.Errorf("read %s: the client has gone: %w", q.p.tab.def.Name, err)
	}
	return nil
}

// fits refuses a result that has become too large.
func (q *reading) fits() error {
	if q.out.size <= q.e.maxResult {
		return nil
	}
	text := fmt.Sprintf("a result of more than %d MiB is %s: ask for pages, or for fewer rows in each", q.e.maxResult>>20, cqlerr.NotSupported)
	if q.ycql {
		return cqlerr.QLPlain(cqlerr.InvalidArguments, text)
	}
	return cqlerr.Invalid("%s", text)
}
