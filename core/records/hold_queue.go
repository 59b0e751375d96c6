package records

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// A matching queue that is held has a negative range, which refuses whoever owns
// it, and an encoding that no server knows, which fails whoever reads the row to
// own it: unlike a shard's, the range that a queue is owned under next is that of
// the column. Both say what was there before, so nothing else has to be kept.
const heldEncoding = "held:"

// heldRange is the range of a queue that is held, and that of one that was.
func heldRange(r int64) int64 { return ^r }

// isHeld tells whether a queue's row is held.
func isHeld(rangeID int64, info plan.Blob) bool {
	return rangeID < 0 && strings.HasPrefix(info.Encoding, heldEncoding)
}

// restored is a queue's row as it was before it was held.
func restored(rangeID int64, info plan.Blob) (int64, plan.Blob) {
	info.Encoding = strings.TrimPrefix(info.Encoding, heldEncoding)
	return heldRange(rangeID), info
}

// free takes the hold off a record of a queue: the stream shows what is held as
// it was before.
func (r *Record) free() {
	if r.Kind != TaskQueue && r.Kind != FairTaskQueue {
		return
	}
	rangeID, _ := r.Values[0].(int64)
	info, _ := r.Values[1].(plan.Blob)
	if isHeld(rangeID, info) {
		r.Values[0], r.Values[1] = restored(rangeID, info)
	}
}

// held is the record of a queue with the hold on it; every other is itself. One
// without a range or a state is nobody's as it stands: no server can read it. One
// that expires, a sticky queue, stays as it is: its release would write it again,
// and every writing makes the instant at which it expires less exact.
func (r *Record) held() *Record {
	if r.Kind != TaskQueue && r.Kind != FairTaskQueue || r.Expires != 0 {
		return r
	}
	rangeID, ranged := r.Values[0].(int64)
	info, stated := r.Values[1].(plan.Blob)
	if !ranged || !stated || isHeld(rangeID, info) {
		return r
	}
	info.Encoding = heldEncoding + info.Encoding
	changed := *r
	changed.Values = slices.Clone(r.Values)
	changed.Values[0], changed.Values[1] = heldRange(rangeID), info
	return &changed
}

// queueReads read the lease of a queue.
var queueReads = func() map[Kind]*plan.Read {
	reads := make(map[Kind]*plan.Read)
	for _, k := range []Kind{TaskQueue, FairTaskQueue} {
		reads[k] = &plan.Read{
			Name: "Records/queue_lease", Table: k.Table(), Eq: len(k.Table().Key),
			Columns: []*plan.Column{plan.QueueRangeID, plan.QueueInfo}, TTLOf: kinds[k].expires,
		}
	}
	return reads
}()

// HoldQueue keeps servers from a matching queue: whoever owns it can write it no
// more, and nobody can take it. A queue without a row of its own (tasks may have
// outlived it) is nobody's, and stays so. Tasks can still be deleted: servers do
// that without asking for the range. Holding a queue again changes nothing.
func (w *Writer) HoldQueue(ctx context.Context, queue Ref) error {
	return w.changeQueue(ctx, "hold", queue, func(rangeID int64, info plan.Blob) (int64, plan.Blob, bool) {
		if isHeld(rangeID, info) {
			return 0, plan.Blob{}, false
		}
		info.Encoding = heldEncoding + info.Encoding
		return heldRange(rangeID), info, true
	})
}

// ReleaseQueue gives a queue that is held to servers, as it was before. Releasing
// one that is not held changes nothing.
func (w *Writer) ReleaseQueue(ctx context.Context, queue Ref) error {
	return w.changeQueue(ctx, "release", queue, func(rangeID int64, info plan.Blob) (int64, plan.Blob, bool) {
		if !isHeld(rangeID, info) {
			return 0, plan.Blob{}, false
		}
		rangeID, info = restored(rangeID, info)
		return rangeID, info, true
	})
}

// changeQueue writes a queue's lease on the condition of the range that it read. A
// row that expires goes when it would have gone.
func (w *Writer) changeQueue(
	ctx context.Context, verb string, queue Ref, to func(rangeID int64, info plan.Blob) (int64, plan.Blob, bool),
) error {
	read := queueReads[queue.Kind]
	if read == nil {
		return fmt.Errorf("%s %s: it is no queue of matching", verb, queue)
	}
	var expires int64 // of a row that does, from a reading that was quick
	late := false     // this call has changed the row, too slowly for when it expires
	for range 2 * resends {
		asked := w.o.Now()
		row, found, err := exec.One(ctx, w.ex, read, queue.Key...)
		switch {
		case err != nil:
			return err
		case !found:
			return nil
		case row.Null(0) || row.Null(1):
			return fmt.Errorf("%s %s: its row has no range or no state", verb, queue)
		}
		rangeID, info, change := to(row.Int(0), row.Blob(1))
		if !change {
			if !late {
				return nil
			}
			rangeID, info = row.Int(0), row.Blob(1)
		}
		m := plan.Mutation{
			Table: read.Table, Op: plan.Update, Key: queue.Key,
			Conds: []plan.Cond{{Test: plan.Equal, Column: plan.QueueRangeID, Value: row.Int(0)}},
			Effects: []plan.Effect{
				{Op: plan.Set, Column: plan.QueueRangeID, Value: rangeID},
				{Op: plan.Set, Column: plan.QueueInfo, Value: info},
			},
		}
		if read.TTLOf != nil && !row.Null(2) {
			if expires == 0 {
				if w.o.Now().Sub(asked) > slow {
					continue
				}
				expires = countedFrom(w.fenced, asked) + row.Int(2)*1000
			}
			m.Live = true
		} else {
			expires = 0
		}
		next := &write{Write: plan.Write{Name: "Records/" + verb + "_queue", Scope: plan.Atomic}}
		next.add(m, expires)
		quick, err := w.sendOnce(ctx, next)
		switch {
		case refused(err): // somebody has changed it since it was read
			expires, late = 0, false
		case err != nil || quick:
			return err
		default:
			late = true
		}
	}
	if late {
		return nil // its life is as near as this database allows
	}
	return fmt.Errorf("%s %s: its range keeps changing, or the database is too slow to tell when it expires: stop the servers of this keyspace", verb, queue)
}

// Queues calls each for every queue of a part of [QueueStage] or [FairQueueStage]
// by the name of its row, which need not exist. It reads no tasks.
func (s *Source) Queues(ctx context.Context, part Part, each func(Ref) error) error {
	kind := TaskQueue
	switch part.Stage {
	case QueueStage:
	case FairQueueStage:
		kind = FairTaskQueue
	default:
		return fmt.Errorf("records: part %s has no queues of matching", part)
	}
	if err := s.check(part); err != nil {
		return err
	}
	list := s.steps(part, nil)[0].list
	for token := []byte(nil); ; {
		keys, next, err := list.page(ctx, token, s.o.PageRows)
		if err != nil {
			return err
		}
		for _, key := range keys {
			ref := Ref{Kind: kind, Key: key}
			ref.Unit = queueOf(&Record{Kind: kind, Key: key})
			if err := each(ref); err != nil {
				return err
			}
		}
		if token = next; token == nil {
			return nil
		}
	}
}
