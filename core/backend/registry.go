package backend

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.uber.org/fx"
)

// Group is the fx value group of backends.
const Group = `group:"backends"`

// Offer is the fx option with which a backend's module offers it: constructor
// is a function that returns a type which implements [Backend], and perhaps an
// error. It must not do I/O.
func Offer(constructor any) fx.Option {
	return fx.Provide(fx.Annotate(constructor, fx.As(new(Backend)), fx.ResultTags(Group)))
}

// Module provides the *[Registry] of all backends that were offered.
var Module = fx.Module("backends",
	fx.Provide(fx.Annotate(NewRegistry, fx.ParamTags(Group))),
)

// Registry finds backends by name. It is immutable and safe for concurrent use.
type Registry struct {
	byName map[string]Backend
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// NewRegistry collects backends; two of one name, or a name that is no lower
// case word, are an error.
func NewRegistry(backends []Backend) (*Registry, error) {
	r := &Registry{byName: make(map[string]Backend, len(backends))}
	var faults []error
	for _, b := range backends {
		name := b.Name()
		switch {
		case !validName.MatchString(name):
			faults = append(faults, fmt.Errorf("backend name %q is not a lower case word", name))
		case r.byName[name] != nil:
			faults = append(faults, fmt.Errorf("backend %q is offered twice, by %T and %T", name, r.byName[name], b))
		default:
			r.byName[name] = b
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return r, nil
}

// Names lists the backends in alphabetical order.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.byName))
	for name := range r.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Lookup finds a backend. The error for an unknown name lists those that exist.
func (r *Registry) Lookup(name string) (Backend, error) {
	if b, ok := r.byName[name]; ok {
		return b, nil
	}
	names := r.Names()
	if len(names) == 0 {
		return nil, fmt.Errorf("unknown backend %q: this binary contains none", name)
	}
	msg := fmt.Sprintf("unknown backend %q", name)
	if near := Nearest(name, names); near != "" {
		msg += fmt.Sprintf(", did you mean %q?", near)
	}
	return nil, fmt.Errorf("%s (this binary contains: %s)", msg, strings.Join(names, ", "))
}
