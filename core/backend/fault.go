package backend

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with options.
type Fault struct {
	// Path is the key's place, parts joined by dots, e.g. "tls.caFile".
	Path string
	// Text says what is wrong and, where that is known, what to write.
	Text string
}

func (f Fault) String() string {
	if f.Path == "" {
		return f.Text
	}
	return f.Path + ": " + f.Text
}

// OptionsError is every fault that options were found to have. Its text is one
// line and shows no value of a key that may be secret.
type OptionsError struct {
	Faults []Fault
}

func (e *OptionsError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.String()
	}
	return strings.Join(texts, "; ")
}

// At returns the same faults as seen from further outside: each path is
// prefixed by place.
func (e *OptionsError) At(place string) *OptionsError {
	out := &OptionsError{Faults: make([]Fault, len(e.Faults))}
	for i, f := range e.Faults {
		out.Faults[i] = Fault{Path: join(place, f.Path), Text: f.Text}
	}
	return out
}

// Faults collects what a backend finds wrong with decoded options. The zero
// value is ready to use.
type Faults struct {
	list []Fault
}

// Add notes a fault. The text must not contain a secret.
func (f *Faults) Add(path, format string, args ...any) {
	f.list = append(f.list, Fault{Path: path, Text: fmt.Sprintf(format, args...)})
}

// Err returns nil if nothing was added, else an [*OptionsError].
func (f *Faults) Err() error {
	if len(f.list) == 0 {
		return nil
	}
	return &OptionsError{Faults: f.list}
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	default:
		return a + "." + b
	}
}
