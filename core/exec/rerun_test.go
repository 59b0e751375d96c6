package exec_test

import (
	"context"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// rerunning is a server that runs a block again after its own commit.
type rerunning struct {
	*memory.Session
	again bool
}

func (s *rerunning) Exec(ctx context.Context, step *cql.Step) (cql.Result, error) {
	if s.again {
		if _, err := s.Session.Exec(ctx, step); err != nil {
			return cql.Result{}, err
		}
	}
	return s.Session.Exec(ctx, step)
}

// A block that the server ran twice is refused by its own effects: nothing is
// known then. What another write did is a conflict all the same.
func TestARefusalByTheWritesOwnEffectsSaysNothing(t *testing.T) {
	// version moves a counter that writers of equal sight move alike.
	version := func(from int64) plan.Mutation {
		return plan.Mutation{
			Table: plan.NamespaceVersion, Op: plan.Update, Key: key(plan.NamespaceVersion),
			Conds:   []plan.Cond{{Test: plan.EqualOrAbsent, Column: plan.GlobalNotificationVersion, Value: from}},
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.GlobalNotificationVersion, Value: from + 1}},
		}
	}
	detail := func(op plan.Op, text string) plan.Mutation {
		m := plan.Mutation{Table: plan.Namespaces, Op: op, Key: []any{"name"}}
		if op != plan.Delete {
			m.Effects = []plan.Effect{{Op: plan.Set, Column: plan.NamespaceDetail, Value: plan.Blob{Data: []byte(text), Encoding: "p"}}}
		}
		return m
	}
	write := func(m ...plan.Mutation) *plan.Write { return &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: m} }
	absent := detail(plan.Insert, "ours")
	absent.Conds = []plan.Cond{{Test: plan.RowAbsent}}
	present := detail(plan.Delete, "")
	present.Conds = []plan.Cond{{Test: plan.RowPresent}}
	tests := []struct {
		name   string
		before *plan.Write // by somebody else
		give   *plan.Write
		again  bool
		want   errs.Outcome
	}{
		{"run twice", nil, write(version(1), detail(plan.Insert, "ours")), true, errs.Unknown},
		{"run twice, a row that must be absent", nil, write(absent, version(1)), true, errs.Unknown},
		{"run twice, a row that must be present", write(detail(plan.Insert, "old")), write(present, version(1)), true, errs.Unknown},
		{"another took the same step", write(version(1), detail(plan.Insert, "theirs")), write(version(1), detail(plan.Insert, "ours")), false, errs.NotApplied},
		{"another made the row", write(detail(plan.Insert, "theirs")), write(absent, version(1)), false, errs.NotApplied},
		{"another is further on", write(version(7)), write(version(1), detail(plan.Insert, "ours")), false, errs.NotApplied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &rerunning{Session: memory.NewSession(memory.NewState())}
			ex := exec.New(s, memory.NewDialect(cql.Traits{RerunsBlocks: true}), nil)
			if tt.before != nil {
				if err := ex.Write(t.Context(), tt.before); err != nil {
					t.Fatal(err)
				}
			}
			s.again = tt.again
			if e := failure(t, ex.Write(t.Context(), tt.give)); e.Kind != errs.Conflict || e.Outcome != tt.want {
				t.Fatalf("error %+v, want %s", e, tt.want)
			}
		})
	}
}

// key is a key of zero values.
func key(t *plan.Table) []any {
	k := make([]any, len(t.Key))
	for i, c := range t.Key {
		k[i] = any(int64(0))
		if c.Kind == plan.Text {
			k[i] = ""
		}
	}
	return k
}
