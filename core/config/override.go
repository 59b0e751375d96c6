package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// EnvPrefix begins the names of variables that set single values. What follows
// is the path, parts joined by "__", in any case:
// TEMPORAL__PERSISTENCE__NUMHISTORYSHARDS=512.
const EnvPrefix = "TEMPORAL__"

// overrider lays single values over a configuration: paths are looked up in
// what may be there, so that misspelt ones are errors.
type overrider struct {
	book     *book
	registry *backend.Registry
	below    tree // the layers below, for keys that users chose
}

// fromVariables reads all variables with [EnvPrefix]. Empty ones count as not
// set, as in upstream's template.
func (o *overrider) fromVariables(environ []string) (tree, error) {
	vars, err := env.Provider("", env.Opt{Prefix: EnvPrefix, EnvironFunc: func() []string { return environ }}).Read()
	if err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	out := tree{}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		value, _ := vars[name].(string)
		if value == "" {
			continue
		}
		path := strings.Split(strings.TrimPrefix(name, EnvPrefix), "__")
		layer := "environment variable " + name
		if err := o.put(out, layer, path, value); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", layer, err))
		}
	}
	return out, errors.Join(faults...)
}

// fromSettings reads settings of the form a.b=value; a later one wins. A dot
// that belongs to a key is written "\.".
func (o *overrider) fromSettings(settings []string) (tree, error) {
	out := tree{}
	var faults []error
	for _, setting := range settings {
		name, value, found := strings.Cut(setting, "=")
		layer := "--set " + name
		if !found || name == "" {
			// The text is not shown: it may be a secret whose name is missing.
			faults = append(faults, errors.New("--set: write it as a.b=value"))
			continue
		}
		if err := o.put(out, layer, splitPath(name), value); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", layer, err))
		}
	}
	return out, errors.Join(faults...)
}

func splitPath(path string) []string {
	const dot = "\x00"
	parts := strings.Split(strings.ReplaceAll(path, `\.`, dot), ".")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], dot, ".")
	}
	return parts
}

// put resolves the path, reads the value as its place wants it and stores it.
func (o *overrider) put(out tree, layer string, path []string, value string) error {
	keys, s, err := o.resolve(out, path)
	if err != nil {
		return err
	}
	v, err := o.value(layer, s, value)
	if err != nil {
		return err
	}
	for _, key := range keys[:len(keys)-1] {
		inner, ok := out[key].(tree)
		if !ok {
			inner = tree{}
			out[key] = inner
		}
		out = inner
	}
	out[keys[len(keys)-1]] = v
	return nil
}

// resolve restores the spelling of each key: a known one, else one that a layer
// below uses, else, where users choose keys, the lower-case form.
func (o *overrider) resolve(out tree, path []string) ([]string, shape, error) {
	keys := make([]string, len(path))
	s := root
	for i, part := range path {
		if part == "" {
			return nil, s, errors.New("the name has an empty part")
		}
		if s.form() == leaf {
			return nil, s, fmt.Errorf("%q holds a value, it has no keys", strings.Join(keys[:i], "."))
		}
		s = o.options(s, out, keys[:i])
		names := s.names()
		if s.form() != mapping {
			for _, layer := range []tree{out, o.below} {
				if t, ok := lookup(layer, keys[:i]...).(tree); ok {
					names = append(names, slices.Sorted(maps.Keys(t))...)
				}
			}
		}
		keys[i] = spelling(part, names)
		if keys[i] == "" && s.form() == mapping {
			err := fmt.Errorf("unknown key %q", strings.Join(append(keys[:i:i], part), "."))
			if near := backend.Nearest(part, names); near != "" {
				err = fmt.Errorf("%w, did you mean %q?", err, near)
			}
			return nil, s, err
		}
		if keys[i] == "" {
			keys[i] = part
			if part == strings.ToUpper(part) { // from an environment variable
				keys[i] = strings.ToLower(part)
			}
		}
		s, _ = s.key(keys[i])
	}
	return keys, s, nil
}

// options gives the shape of a backend's options where keys lead there.
func (o *overrider) options(s shape, out tree, keys []string) shape {
	name := ""
	switch {
	case len(keys) == 2 && keys[0] == "backends":
		name = keys[1]
	case len(keys) == 5 && keys[1] == "datastores" && keys[3] == "customDatastore" && keys[4] == "options":
		at := append(slices.Clone(keys[:4]), "name")
		if name = text(out, at...); name == "" {
			name = text(o.below, at...)
		}
	}
	if b, err := o.registry.Lookup(name); err == nil {
		return optionsShape(b)
	}
	return s
}

// spelling finds part among names, exactly or but for case, dashes and
// underscores; empty if it is none of them.
func spelling(part string, names []string) string {
	fold := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s))
	}
	if slices.Contains(names, part) {
		return part
	}
	for _, name := range names {
		if fold(name) == fold(part) {
			return name
		}
	}
	return ""
}

// value reads text as its place wants it: text stays text, whatever it looks
// like; a list may be comma-separated; anything else is YAML.
func (o *overrider) value(layer string, s shape, value string) (any, error) {
	str := func(text string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Line: o.book.add(origin{layer: layer})}
	}
	flow := strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[")
	kind := s.writtenAs()
	switch {
	case kind == wantText, kind == wantAny && !flow:
		return str(value), nil
	case kind == wantList && !flow:
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: o.book.add(origin{layer: layer})}
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list.Content = append(list.Content, str(part))
			}
		}
		return list, nil
	case s.form() == mapping && !flow, s.form() == table && !flow:
		return nil, fmt.Errorf("this is a mapping: set one of its keys%s, or give it as {key: value}", example(s))
	}
	t, err := o.book.parse(layer, []byte("value: "+value))
	if err != nil {
		return nil, errors.New("the value is not YAML") // which may quote it
	}
	o.book.forgetLines(layer)
	return t["value"], nil
}

func example(s shape) string {
	names := s.names()
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}
