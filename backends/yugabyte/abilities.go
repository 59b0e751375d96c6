package yugabyte

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	variant "github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// The names of abilities. Keyspaces hold them: they never change.
const (
	blocks          = "transaction blocks"
	serialBlocks    = "statement order in a block"
	absence         = "assertion of absence"
	conditionalLife = "condition and TTL in one INSERT"
	nullElements    = "null elements"
	lastGuard       = "guard last in a batch"
	transactionTTL  = "TTL in transactional tables"
	unset           = "unset values"
	deleteIfAbsent  = "DELETE IF NOT EXISTS ELSE ERROR"
)

// lifetime is how long rows live that are stored with one, in seconds.
const lifetime = int64(3600)

// probed are all abilities that are asked for.
var probed = []ability{
	{
		name: blocks, needed: true,
		why:        "use a release of YugabyteDB that runs transactions of several statements with IF ... ELSE ERROR",
		statements: []*cql.Statement{guarded},
		expect:     "applied as a whole if the condition holds; else refused, and nothing stored",
		ask: func(ctx context.Context, p *prober) (string, bool, error) {
			if _, err := p.run(ctx, put, p.id, int64(0), int64(7)); err != nil {
				return "", false, err
			}
			applied, err := p.run(ctx, guarded, int64(8), p.id, int64(0), int64(7), p.id, int64(1), int64(1))
			if err != nil {
				return "", false, err
			}
			refused, err := p.run(ctx, guarded, int64(9), p.id, int64(0), int64(7), p.id, int64(2), int64(1))
			if err != nil {
				return "", false, err
			}
			rows, _, err := p.rows(ctx, count, p.id)
			outcome := fmt.Sprintf("applied %v with a condition that held and %v with one that did not, %d of 2 rows", applied, refused, rows)
			return outcome, applied && !refused && rows == 2, err
		},
	},
	{
		name: serialBlocks, needed: true,
		why:        "set the tablet servers' flag ycql_serial_operation_in_transaction_block to true",
		statements: []*cql.Statement{seesEarlier, putAndForget},
		expect:     "a statement sees what those before it wrote, and the last write of a row counts",
		ask: func(ctx context.Context, p *prober) (string, bool, error) {
			if _, err := p.run(ctx, put, p.id, int64(0), int64(1)); err != nil {
				return "", false, err
			}
			// What goes wrong out of order need not do so each time.
			const times = 4
			seen, left := 0, 0
			for i := range int64(times) {
				applied, err := p.run(ctx, seesEarlier, 10+i, p.id, int64(0), 20+i, p.id, int64(0), 10+i)
				if err != nil {
					return "", false, err
				}
				if applied {
					seen++
				}
				if _, err := p.run(ctx, putAndForget, p.id, int64(1), i, p.id, int64(2), i, p.id, int64(1), p.id, int64(2)); err != nil {
					return "", false, err
				}
				rows, _, err := p.rows(ctx, count, p.id)
				if err != nil {
					return "", false, err
				}
				left += rows - 1
			}
			return fmt.Sprintf("an earlier write was seen %d times of %d, %d of %d deleted rows were left", seen, times, left, 2*times), seen == times && left == 0, nil
		},
	},
	{
		name: absence, needed: true,
		why:        "use a release of YugabyteDB that takes UPDATE ... IF NOT EXISTS ELSE ERROR",
		statements: []*cql.Statement{assertAbsent},
		expect:     "applied if the row is missing, and leaves none; else refused",
		ask: func(ctx context.Context, p *prober) (string, bool, error) {
			return p.absent(ctx, assertAbsent)
		},
	},
	{
		name: conditionalLife, needed: true,
		why:        "use a release of YugabyteDB that takes INSERT ... IF ... USING TTL",
		statements: []*cql.Statement{renew, lifePlain},
		expect:     "applied if the condition holds, and the row has a life",
		ask: func(ctx context.Context, p *prober) (string, bool, error) {
			if _, err := p.run(ctx, putPlain, p.id, int64(0), int64(1)); err != nil {
				return "", false, err
			}
			applied, err := p.run(ctx, renew, p.id, int64(0), int64(2), int64(1), lifetime)
			if err != nil {
				return "", false, err
			}
			refused, err := p.run(ctx, renew, p.id, int64(0), int64(3), int64(1), lifetime)
			if err != nil {
				return "", false, err
			}
			seconds, err := p.number(ctx, lifePlain, p.id, int64(0))
			outcome := fmt.Sprintf("applied %v with a condition that held and %v with one that did not, %d seconds left", applied, refused, seconds)
			return outcome, applied && !refused && seconds > 0, err
		},
	},
	{
		name: nullElements, use: func(a *variant.Abilities) { a.NullElements = true },
		statements: []*cql.Statement{setElements},
		expect:     "an element that is set to null is gone, beside one that is set",
		ask: func(ctx context.Context, p *prober) (string, bool, error) {
			if _, err := p.run(ctx, setElements, int64(1), "a", []byte{1}, "b", []byte{2}, p.id, int64(0)); err != nil {
				return "", false, err
			}
			if _, err := p.run(ctx, setElements, int64(1), "a", nil, "c", []byte{3}, p.id, int64(0)); err != nil {
				return "", false, err
			}
			_, entries, err := p.rows(ctx, getEntries, p.id, int64(0))
			keys := keysOf(entries)
			return "entries " + fmt.Sprint(keys), fmt.Sprint(keys) == "[b c]", err
		},
	},
	{
		name: lastGuard, use: func(a *variant.Abilities) { a.GuardLast = true },
		statements: []*cql.Statement{putStatus, guardLast},
		expect:     "rows of a batch are stored; the status of its last statement tells whether its condition held",
		ask: func(ctx context.Context, p *prober) (string, bool, error) {
			if _, err := p.run(ctx, putPlain, p.id, int64(0), int64(7)); err != nil {
				return "", false, err
			}
			batch := func(n, lease int64) (bool, error) {
				res, err := p.s.Exec(ctx, &cql.Step{Mode: cql.Unlogged, Calls: []cql.Call{
					{Statement: putStatus, Args: []any{p.id, n, n}},
					{Statement: putStatus, Args: []any{p.id, n + 1, n}},
					{Statement: guardLast, Args: []any{lease, p.id, int64(0), lease}},
				}})
				return res.Applied, err
			}
			applied, err := batch(1, 7)
			if err != nil {
				return "", false, err
			}
			refused, err := batch(3, 8)
			if err != nil {
				return "", false, err
			}
			stored := 0
			for n := range int64(2) {
				rows, _, err := p.rows(ctx, getPlain, p.id, n+1)
				if err != nil {
					return "", false, err
				}
				stored += rows
			}
			return fmt.Sprintf("applied %v with a condition that held and %v with one that did not, %d of 2 rows", applied, refused, stored), applied && !refused && stored == 2, nil
		},
	},
	{
		name:       transactionTTL,
		statements: []*cql.Statement{putExpiring, life},
		expect:     "a row of a transactional table has a life",
		ask: func(ctx context.Context, p *prober) (string, bool, error) {
			if _, err := p.run(ctx, putExpiring, p.id, int64(0), int64(1), lifetime); err != nil {
				return "", false, err
			}
			seconds, err := p.number(ctx, life, p.id, int64(0))
			return fmt.Sprintf("%d seconds left", seconds), seconds > 0, err
		},
	},
	{
		name:       unset,
		statements: []*cql.Statement{setUnset},
		expect:     "a column whose value is not set keeps its value",
		ask: func(ctx context.Context, p *prober) (string, bool, error) {
			one := cql.Raw{0, 0, 0, 1, 0, 0, 0, 1, 'a', 0, 0, 0, 1, 1} // {'a': 0x01}
			if _, err := p.run(ctx, setUnset, int64(1), one, p.id, int64(0)); err != nil {
				return "", false, err
			}
			if _, err := p.run(ctx, setUnset, int64(2), cql.Unset, p.id, int64(0)); err != nil {
				return "", false, err
			}
			lease, err := p.number(ctx, get, p.id, int64(0))
			if err != nil {
				return "", false, err
			}
			_, entries, err := p.rows(ctx, getEntries, p.id, int64(0))
			keys := keysOf(entries)
			return fmt.Sprintf("entries %v beside a column set to %d", keys, lease), fmt.Sprint(keys) == "[a]" && lease == 2, err
		},
	},
	{
		name:       deleteIfAbsent,
		statements: []*cql.Statement{deleteAbsent},
		expect:     "applied if the row is missing; else refused",
		ask: func(ctx context.Context, p *prober) (string, bool, error) {
			return p.absent(ctx, deleteAbsent)
		},
	},
}

// absent runs a block that asserts the absence of row 0, when it is missing and
// when it is there.
func (p *prober) absent(ctx context.Context, block *cql.Statement) (string, bool, error) {
	applied, err := p.run(ctx, block, p.id, int64(0), p.id, int64(1), int64(1))
	if err != nil {
		return "", false, err
	}
	left, _, err := p.rows(ctx, get, p.id, int64(0))
	if err != nil {
		return "", false, err
	}
	if _, err := p.run(ctx, put, p.id, int64(0), int64(1)); err != nil {
		return "", false, err
	}
	refused, err := p.run(ctx, block, p.id, int64(0), p.id, int64(2), int64(1))
	if err != nil {
		return "", false, err
	}
	rows, _, err := p.rows(ctx, count, p.id)
	outcome := fmt.Sprintf("applied %v on a missing row, of which %d are left, and %v on one that is there; %d of 2 rows", applied, left, refused, rows)
	return outcome, applied && left == 0 && !refused && rows == 2, err
}

// number is the integer that a query returns, 0 for none.
func (p *prober) number(ctx context.Context, s *cql.Statement, args ...any) (int64, error) {
	_, raw, err := p.rows(ctx, s, args...)
	switch len(raw) {
	case 4:
		return int64(int32(binary.BigEndian.Uint32(raw))), err
	case 8:
		return int64(binary.BigEndian.Uint64(raw)), err
	}
	return 0, err
}

// keysOf are the keys of a map<text, ...> in the protocol's form, as they come.
func keysOf(raw cql.Raw) []string {
	next := func() []byte {
		if len(raw) < 4 {
			return nil
		}
		n := int(int32(binary.BigEndian.Uint32(raw)))
		if raw = raw[4:]; n < 0 || n > len(raw) {
			return nil
		}
		v := raw[:n]
		raw = raw[n:]
		return v
	}
	if len(raw) < 4 {
		return nil
	}
	n := int(binary.BigEndian.Uint32(raw))
	raw = raw[4:]
	var keys []string
	for range min(n, len(raw)) {
		keys = append(keys, string(next()))
		next()
	}
	return keys
}
