package config

import (
	"encoding"
	"iter"
	"reflect"
	"strings"

	tconfig "go.temporal.io/server/common/config"
	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// file is all that a configuration may hold: the server's keys and ours.
type file struct {
	tconfig.Config `yaml:",inline"`

	Backend  string                    `yaml:"backend"`
	Backends map[string]map[string]any `yaml:"backends"`
}

// shape tells what belongs at a place of the configuration, by the Go type that
// it is decoded into.
type shape struct {
	t   reflect.Type
	tag string // "yaml" for the server's types, "koanf" for options
}

// form is what a shape is written as.
type form uint8

const (
	open    form = iota // anything: free-form options, types that decode themselves
	leaf                // a scalar or a list
	mapping             // known keys
	table               // keys that the user chooses
)

var (
	root            = shape{reflect.TypeFor[file](), "yaml"}
	yamlUnmarshaler = reflect.TypeFor[yaml.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func (s shape) form() form {
	if s.t == nil {
		return open
	}
	t := s.deref().t
	switch {
	case reflect.PointerTo(t).Implements(yamlUnmarshaler), t.Kind() == reflect.Interface:
		return open
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return leaf
	case t.Kind() == reflect.Struct:
		return mapping
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Interface:
		return open
	case t.Kind() == reflect.Map:
		return table
	default:
		return leaf
	}
}

func (s shape) deref() shape {
	for s.t.Kind() == reflect.Pointer {
		s.t = s.t.Elem()
	}
	return s
}

// nullable says whether a null in a later file empties the value, as the YAML
// decoder has it; other values keep what an earlier file gave them.
func (s shape) nullable() bool {
	if s.t == nil {
		return true
	}
	switch s.t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	default:
		return false
	}
}

// keys yields the known keys of a mapping.
func (s shape) keys() iter.Seq2[string, shape] {
	return func(yield func(string, shape) bool) {
		s.each(s.deref().t, yield)
	}
}

func (s shape) each(t reflect.Type, yield func(string, shape) bool) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup(s.tag)
		name, rest, _ := strings.Cut(tag, ",")
		inline := strings.Contains(rest, "inline") || strings.Contains(rest, "squash")
		switch {
		case name == "-", !f.IsExported() && !inline, s.tag == "koanf" && !tagged:
			continue
		case inline:
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && !s.each(inner, yield) {
				return false
			}
			continue
		case name == "":
			name = strings.ToLower(f.Name) // yaml.v3's rule
		}
		if !yield(name, shape{f.Type, s.tag}) {
			return false
		}
	}
	return true
}

// key finds the shape of one key; ok is false for an unknown one.
func (s shape) key(name string) (inner shape, ok bool) {
	switch s.form() {
	case mapping:
		for known, inner := range s.keys() {
			if known == name {
				return inner, true
			}
		}
	case table:
		return shape{s.deref().t.Elem(), s.tag}, true
	case open:
		return shape{}, true
	case leaf:
	}
	return shape{}, false
}

// names lists the known keys of a mapping.
func (s shape) names() []string {
	if s.form() != mapping {
		return nil
	}
	var out []string
	for name := range s.keys() {
		out = append(out, name)
	}
	return out
}

// optionsShape is the shape of the options of a backend.
func optionsShape(b backend.Backend) shape {
	return shape{reflect.TypeOf(b.NewOptions()), "koanf"}
}

// want is how the text of a variable or setting is read.
type want uint8

const (
	wantYAML want = iota
	wantText      // as it stands
	wantList      // comma-separated
	wantAny       // as it stands, unless it is a mapping or list
)

func (s shape) writtenAs() want {
	if s.form() == open {
		return wantAny
	}
	t := s.deref().t
	switch {
	case t.Kind() == reflect.String, reflect.PointerTo(t).Implements(textUnmarshaler):
		return wantText
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return wantList
	case s.tag == "koanf" && s.form() == leaf:
		return wantAny // options are decoded from text
	default:
		return wantYAML
	}
}
