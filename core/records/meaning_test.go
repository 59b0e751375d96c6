package records_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// problems checks the meaning of all that a store holds.
func problems(t testing.TB, src *records.Source) (found []string) {
	t.Helper()
	for _, part := range src.Parts(1) {
		if err := src.All(t.Context(), part, func(r *records.Record) error {
			all, err := src.Meaning(t.Context(), r)
			for _, p := range all {
				found = append(found, p.String())
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func TestMeaning(t *testing.T) {
	for _, s := range []*store{inMemory(t), engine(t, "cassandra"), engine(t, "ycql")} {
		t.Run(s.name, func(t *testing.T) {
			seed := seed(t)
			o := corpus.Small(seed)
			o.Whole, o.Garbage = s.whole, false
			all := corpus.Make(o)
			s.put(t, o.Shards, all)
			src := s.source(t, records.Options{Shards: o.Shards, PageRows: 3})
			if found := problems(t, src); len(found) > 0 {
				t.Fatalf("a sound corpus has %d problems, e.g. %s", len(found), found[0])
			}
			pick := func(kind records.Kind, fits func(r *records.Record) bool) *records.Record {
				i := slices.IndexFunc(all, func(r records.Record) bool { return r.Kind == kind && (fits == nil || fits(&r)) })
				if i < 0 {
					t.Fatalf("the corpus has no such %s", kind)
				}
				return &all[i]
			}
			has := func(c *plan.Column) func(*records.Record) bool {
				return func(r *records.Record) bool { return r.Value(c) != nil }
			}
			garbled := plan.Blob{Data: []byte{0xff}, Encoding: "Proto3"}
			// The last batch of a branch, which some execution needs.
			node := pick(records.Node, func(r *records.Record) bool {
				return r.Key[2] == int64(1) && slices.ContainsFunc(all, func(e records.Record) bool {
					return e.Kind == records.Execution && e.Key[3] == r.Key[0]
				})
			})
			current := pick(records.Current, has(plan.CurrentState))
			tests := []struct {
				name string
				bad  *records.Record // replaced; deleted if it has no values
				want string
			}{
				{"a blob that does not decode", pick(records.Task, nil).With(plan.TaskData, garbled), "cannot be decoded"},
				{"an unknown encoding", pick(records.UserData, nil).With(plan.UserDataBlob, plan.Blob{Data: []byte{8, 1}, Encoding: "Thrift"}), "unknown encoding"},
				{"a current run that is not there", current.With(plan.CurrentRunID, [16]byte{9}), "does not exist"},
				{"a state of its own", current.With(plan.CurrentWorkflowState, int64(5)), "is 5, the state is"},
				{"events that are missing", &records.Record{Kind: node.Kind, Unit: node.Unit, Key: node.Key}, "are missing"},
				{"another checksum", pick(records.Execution, has(plan.Checksum)).With(plan.NextEventID, int64(1000)), "that of the state is"},
				{"an id of no name", pick(records.Namespace, nil).With(plan.NamespaceID, [16]byte{9}), "does not lead to this name"},
			}
			for _, tt := range tests {
				i := slices.IndexFunc(all, func(r records.Record) bool { return r.KeyString() == tt.bad.KeyString() })
				if tt.bad.Values == nil {
					// All batches of the event: the highest transaction counts.
					for _, r := range all {
						if r.Kind == records.Node && r.Key[0] == node.Key[0] && r.Key[2] == node.Key[2] {
							if err := s.writer.Delete(t.Context(), []records.Ref{r.Ref()}); err != nil {
								t.Fatal(err)
							}
						}
					}
				} else if err := s.writer.Replace(t.Context(), []records.Record{*tt.bad}); err != nil {
					t.Fatal(err)
				}
				found := problems(t, src)
				if !slices.ContainsFunc(found, func(p string) bool { return strings.Contains(p, tt.want) }) {
					t.Errorf("%s: found %q, want one with %q", tt.name, found, tt.want)
				}
				restore := []records.Record{all[i]}
				if tt.bad.Values == nil {
					restore = all
				}
				if err := s.writer.Replace(t.Context(), restore); err != nil {
					t.Fatal(err)
				}
			}
			if found := problems(t, src); len(found) > 0 {
				t.Errorf("mended, and there are %q", found)
			}
		})
	}
}
