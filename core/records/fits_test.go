package records_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// A record that does not fit is known before it is written, and why.
func TestFits(t *testing.T) {
	for _, s := range []*store{engine(t, "cassandra"), engine(t, "ycql")} {
		t.Run(s.name, func(t *testing.T) {
			o := corpus.Small(seed(t))
			o.Whole = s.whole
			all := corpus.Make(o)
			for i := range all {
				if why := s.writer.Fits(&all[i]); why != "" {
					t.Errorf("%s %s", all[i].KeyString(), why)
				}
			}
			pick := func(k records.Kind, c *plan.Column) records.Record {
				i := slices.IndexFunc(all, func(r records.Record) bool { return r.Kind == k && (c == nil || r.Value(c) != nil) })
				if i < 0 {
					t.Fatalf("the corpus has no such %s", k)
				}
				return all[i]
			}
			key := func(r records.Record, at int, v any) *records.Record {
				r.Key = slices.Clone(r.Key)
				r.Key[at] = v
				return &r
			}
			execution := pick(records.Execution, nil)
			big := execution.With(plan.ExecutionInfo, plan.Blob{Data: make([]byte, 33<<20), Encoding: "Proto3"})
			tests := []struct {
				name string
				give *records.Record
				want string
			}{
				{"a row too large", big, "bytes, the target takes rows of"},
				{"a key too long", key(execution, 2, strings.Repeat("w", 70_000)), "workflow_id has 70000 bytes"},
				{"no UTF-8", key(execution, 2, "a\xff"), "workflow_id \"a\\xff\" is no UTF-8"},
				{"a name of a timer too long", execution.With(plan.Timers, []plan.TextEntry{{Key: strings.Repeat("t", 70_000)}}), "has 70000 bytes"},
				{"a number beyond its column", key(execution, 0, int64(math.MaxInt64)), "does not fit the target's columns"},
				{"half a blob", execution.With(plan.ExecutionInfo, plan.Blob{Data: []byte{1}}), ""},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					why := s.writer.Fits(tt.give)
					if tt.want == "" && why != "" || !strings.Contains(why, tt.want) {
						t.Errorf("Fits() = %q, want %q", why, tt.want)
					}
				})
			}
			if s.whole {
				r := pick(records.Execution, plan.ChasmNodes)
				bad := r.With(plan.ChasmNodes, []plan.NodeEntry{{Key: "a", Value: plan.Node{Metadata: plan.Blob{Data: []byte{0xff}, Encoding: "Proto3"}}}})
				if why := s.writer.Fits(bad); !strings.Contains(why, "target's form") {
					t.Errorf("a node that cannot be joined: %q", why)
				}
			}
		})
	}
}
