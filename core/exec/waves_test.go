package exec_test

import (
	"slices"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// fixed is a dialect whose writes are always the same program.
type fixed struct {
	*variant
	program *cql.Program
}

func (f fixed) CompileWrite(*plan.Write) (*cql.Program, error) { return f.program, nil }

func step(text string) cql.Step {
	return cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: &cql.Statement{Text: text}}}}
}

func wave(n int, text string) cql.Step {
	s := step(text)
	s.Ahead, s.Wave = true, n
	return s
}

func owned() *plan.Write {
	return &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{lease(1)}}
}

func TestWavesFollowEachOther(t *testing.T) {
	program := &cql.Program{Steps: []cql.Step{wave(0, "a"), wave(0, "b"), wave(1, "c"), step("main")}}
	var seen exec.Event
	d := &database{}
	ex := exec.New(d, fixed{&variant{}, program}, observer(func(e *exec.Event) { seen = *e }))
	if err := ex.Write(t.Context(), owned()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(d.asked[:2])
	if !slices.Equal(d.asked, []string{"a", "b", "c", "main"}) || seen.RoundTrips != 3 || seen.Statements != 4 {
		t.Errorf("sent %q in %d rounds, %d statements", d.asked, seen.RoundTrips, seen.Statements)
	}
}

func TestAFailedWaveEndsTheWrite(t *testing.T) {
	program := &cql.Program{Steps: []cql.Step{wave(0, "a"), wave(1, "b"), step("main")}}
	d := &database{answers: map[string][]any{"a": {&cql.Error{Message: "broken"}}}}
	e := failure(t, exec.New(d, fixed{&variant{}, program}, nil).Write(t.Context(), owned()))
	if e.Outcome != errs.NotApplied || e.Stage != errs.Ahead || !slices.Equal(d.asked, []string{"a"}) {
		t.Errorf("error %+v after %q", e, d.asked)
	}
}

func TestARefusedWriteIsTakenBack(t *testing.T) {
	undo := step("undo")
	program := &cql.Program{Steps: []cql.Step{step("main")}, Undo: &undo}
	for name, answer := range map[string]any{"undone": cql.Result{Applied: true}, "not undone": &cql.Error{Message: "broken"}} {
		t.Run(name, func(t *testing.T) {
			d := &database{answers: map[string][]any{"main": {cql.Result{}}, "undo": {answer}}}
			e := failure(t, exec.New(d, fixed{&variant{observe: saw(2)}, program}, nil).Write(t.Context(), owned()))
			if e.Kind != errs.Conflict || e.Outcome != errs.NotApplied || !slices.Equal(d.asked, []string{"main", "undo"}) {
				t.Errorf("error %+v after %q", e, d.asked)
			}
		})
	}
	d := &database{}
	if err := exec.New(d, fixed{&variant{}, program}, nil).Write(t.Context(), owned()); err != nil || len(d.asked) != 1 {
		t.Errorf("%v after %q", err, d.asked)
	}
}
