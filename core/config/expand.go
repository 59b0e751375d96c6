package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// expander writes our short form out as the data store that it stands for, and
// checks all options of our databases.
type expander struct {
	book     *book
	registry *backend.Registry
	tree     tree
	faults   []error
	warnings []string
}

// warn notes what the server itself will refuse or not heed.
func (e *expander) warn(value any, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if from := e.book.at(firstLine(value)); from != (origin{}) {
		text = from.String() + ": " + text
	}
	e.warnings = append(e.warnings, text)
}

func (e *expander) fail(value any, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if from := e.book.at(firstLine(value)); from != (origin{}) {
		err = fmt.Errorf("%s: %w", from, err)
	}
	e.faults = append(e.faults, err)
}

// expand changes the tree and returns the database of ours that the default
// store asks for, nil if it is a stock one.
func (e *expander) expand() (*Chosen, error) {
	e.shortForm()
	openers := e.customStores()
	e.unusedOptions()
	delete(e.tree, "backend")
	delete(e.tree, "backends")
	if err := errors.Join(e.faults...); err != nil {
		return nil, err
	}
	return openers[text(e.tree, "persistence", "defaultStore")], nil
}

// shortForm expands "backend: NAME".
func (e *expander) shortForm() {
	given := e.tree["backend"]
	if _, ok := given.(tree); ok {
		e.fail(given, "backend: must be the name of a database, its options go under backends.NAME")
		return
	}
	name := text(e.tree, "backend")
	if name == "" {
		return
	}
	if _, err := e.registry.Lookup(name); err != nil {
		e.fail(given, "backend: %w", err)
		return
	}
	stores := e.child(e.child(e.tree, "persistence"), "datastores")
	store := text(e.tree, "persistence", "defaultStore")
	if store == "" {
		store = "default"
		e.child(e.tree, "persistence")["defaultStore"] = e.made(given, store)
	}
	custom := tree{"name": e.made(given, name)}
	old, _ := stores[store].(tree)
	options, _ := lookup(e.tree, "backends", name).(tree)
	if text(old, "customDatastore", "name") == name {
		if same, ok := lookup(old, "customDatastore", "options").(tree); ok && len(same) > 0 {
			if len(options) > 0 {
				e.fail(options, "backends.%s: options of %s are given here and in persistence.datastores.%s.customDatastore.options (%s): keep one of them",
					name, name, store, e.book.at(firstLine(same)))
			}
			options = same
		}
	}
	if options != nil {
		custom["options"] = options
	}
	replaced := tree{"customDatastore": custom}
	if faults, ok := old["faultInjection"]; ok {
		replaced["faultInjection"] = faults
	}
	stores[store] = replaced
}

// child returns the mapping under a key, made if there is none.
func (e *expander) child(t tree, key string) tree {
	inner, ok := t[key].(tree)
	if !ok {
		inner = tree{}
		t[key] = inner
	}
	return inner
}

// made is a value that expansion writes; it came from where given stands.
func (e *expander) made(given any, text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Line: firstLine(given)}
}

// customStores checks every custom data store. One that holds workflows must
// be ours. Temporal also knows custom visibility stores; this binary has none,
// and leaves it to the server to refuse them where they are used.
func (e *expander) customStores() map[string]*Chosen {
	openers := map[string]*Chosen{}
	stores, _ := lookup(e.tree, "persistence", "datastores").(tree)
	for _, store := range slices.Sorted(maps.Keys(stores)) {
		custom, ok := lookup(stores, store, "customDatastore").(tree)
		if !ok {
			continue
		}
		place := "persistence.datastores." + store + ".customDatastore"
		known := []string{"name", "indexName", "options"}
		for _, key := range slices.Sorted(maps.Keys(custom)) {
			if !slices.Contains(known, key) {
				e.fail(custom[key], "%s.%s: unknown key%s", place, key, didYouMean(key, known))
			}
		}
		name := text(custom, "name")
		if name == "" {
			e.fail(custom, "%s.name: must name a database (%s)", place, strings.Join(e.registry.Names(), ", "))
			continue
		}
		b, err := e.registry.Lookup(name)
		if err != nil {
			if store == text(e.tree, "persistence", "defaultStore") {
				e.fail(custom["name"], "%s.name: %w", place, err)
			} else {
				e.warn(custom["name"], "%s.name: this binary has no custom data store of that name (%q)", place, name)
			}
			continue
		}
		optionsPlace := place + ".options"
		if shared, _ := lookup(e.tree, "backends", name).(tree); shared != nil && firstLine(shared) == firstLine(custom["options"]) {
			optionsPlace = "backends." + name // where the user wrote them
		}
		if opener := e.parse(b, custom["options"], optionsPlace); opener != nil {
			openers[store] = &Chosen{Name: name, Opener: opener}
		}
		for _, role := range []string{"visibilityStore", "secondaryVisibilityStore"} {
			if text(e.tree, "persistence", role) == store {
				e.fail(lookup(e.tree, "persistence", role),
					"persistence.%s: %q is a %s store, which keeps no visibility records: name an sql or elasticsearch data store", role, store, name)
			}
		}
	}
	return openers
}

// unusedOptions checks the options of databases that are described but not
// chosen: a misspelt key there would surface on the day of a switch.
func (e *expander) unusedOptions() {
	if n, ok := e.tree["backends"].(*yaml.Node); ok && !isNull(n) {
		e.fail(n, "backends: must be a mapping from names of databases to their options")
	}
	all, _ := e.tree["backends"].(tree)
	used := text(e.tree, "backend")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name == used {
			continue
		}
		b, err := e.registry.Lookup(name)
		if err != nil {
			e.fail(all[name], "backends.%s: %w", name, err)
			continue
		}
		raw, ok := e.mapping(all[name], "backends."+name)
		if ok {
			// Keys and types alone: what is not in use may be incomplete.
			e.optionFaults(backend.Decode(raw, b.NewOptions()), b, all[name], "backends."+name)
		}
	}
}

func (e *expander) parse(b backend.Backend, options any, place string) backend.Opener {
	raw, ok := e.mapping(options, place)
	if !ok {
		return nil
	}
	opener, err := b.ParseOptions(raw)
	if err != nil {
		e.optionFaults(err, b, options, place)
		return nil
	}
	return opener
}

// mapping writes options as plain data; none at all are an empty mapping.
func (e *expander) mapping(v any, place string) (map[string]any, bool) {
	switch options := plain(v).(type) {
	case nil:
		return map[string]any{}, true
	case map[string]any:
		return options, true
	default:
		e.fail(v, "%s: must be a mapping of keys to values", place)
		return nil, false
	}
}

// optionFaults gives each fault its full path and the place it was read from.
func (e *expander) optionFaults(err error, b backend.Backend, options any, place string) {
	t, _ := options.(tree)
	for _, f := range faultsOf(err, backend.KeysOf(b.NewOptions())) {
		value := options
		for _, keys := range pathPrefixes(f.Path) {
			if v := lookup(t, keys...); v != nil {
				value = v
				break
			}
		}
		e.fail(value, "%s", backend.Fault{Path: strings.TrimSuffix(place+"."+f.Path, "."), Text: f.Text})
	}
}

// faultsOf takes an error of ParseOptions apart: an OptionsError holds faults;
// of joined errors each is one, and the key that it may begin with is its path.
func faultsOf(err error, known []string) []backend.Fault {
	var structured *backend.OptionsError
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &structured):
		return structured.Faults
	case errors.As(err, &joined):
		var out []backend.Fault
		for _, one := range joined.Unwrap() {
			out = append(out, faultsOf(one, known)...)
		}
		return out
	}
	path, text, found := strings.Cut(err.Error(), ": ")
	if !found || !slices.Contains(known, path) {
		path, text = "", err.Error()
	}
	return []backend.Fault{{Path: path, Text: text}}
}

// pathPrefixes lists a fault's path and those of what holds it, longest first:
// "hosts[1]" and a missing "tls.caFile" are found at hosts and tls.
func pathPrefixes(path string) [][]string {
	path, _, _ = strings.Cut(path, "[")
	keys := strings.Split(path, ".")
	var out [][]string
	for n := len(keys); n > 0; n-- {
		out = append(out, keys[:n])
	}
	return out
}

func didYouMean(key string, known []string) string {
	if near := backend.Nearest(key, known); near != "" {
		return fmt.Sprintf(", did you mean %q?", near)
	}
	return " (known here: " + strings.Join(known, ", ") + ")"
}
