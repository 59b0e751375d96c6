package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	tconfig "go.temporal.io/server/common/config"
	"gopkg.in/validator.v2"
	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// unknownKeys lists keys that the server has no field for: it ignores them, as
// stock Temporal does (stock's own files hold one, rpcName). A top-level key
// that is nearly one of ours is an error, since it would silently run another
// database.
func (b *book) unknownKeys(t tree) ([]string, error) {
	var warnings []string
	var faults []error
	var walk func(tree, shape, string)
	walk = func(t tree, s shape, prefix string) {
		for _, key := range slices.Sorted(maps.Keys(t)) {
			path := strings.TrimPrefix(prefix+"."+key, ".")
			inner, known := s.key(key)
			if !known && s.form() == mapping {
				names := s.names()
				if prefix == "" {
					names = append(names, "backend", "backends")
				}
				near := backend.Nearest(key, names)
				msg := fmt.Sprintf("%s: unknown key, ignored", path)
				if near != "" {
					msg += fmt.Sprintf("; did you mean %q?", near)
				}
				if from := b.at(firstLine(t[key])); from != (origin{}) {
					msg = fmt.Sprintf("%s: %s", from, msg)
				}
				if prefix == "" && (near == "backend" || near == "backends") {
					faults = append(faults, errors.New(strings.Replace(msg, ", ignored;", ",", 1)))
					continue
				}
				warnings = append(warnings, msg)
				continue
			}
			if subtree, ok := t[key].(tree); ok {
				walk(subtree, inner, path)
			}
		}
	}
	walk(t, shape{reflect.TypeFor[tconfig.Config](), "yaml"}, "")
	return warnings, errors.Join(faults...)
}

var atLine = regexp.MustCompile(`^line (\d+): `)

// decode fills the server's struct. Its faults name where the value was read.
func (b *book) decode(t tree) (*tconfig.Config, error) {
	cfg := &tconfig.Config{}
	err := toNode(t).Decode(cfg)
	var types *yaml.TypeError
	if errors.As(err, &types) {
		paths := map[int]string{}
		leaves(t, "", func(path string, n *yaml.Node) { paths[n.Line] = path })
		var faults []error
		for _, text := range types.Errors {
			if m := atLine.FindStringSubmatch(text); m != nil {
				line, _ := strconv.Atoi(m[1]) // digits by the expression
				text = strings.TrimPrefix(text, m[0])
				if path := paths[line]; path != "" {
					text = path + ": " + text
				}
				if from := b.at(line); from != (origin{}) {
					text = from.String() + ": " + text
				}
			}
			faults = append(faults, errors.New(text))
		}
		return nil, errors.Join(faults...)
	}
	if err != nil {
		return nil, err
	}
	// Options travel as the text that was written, see plain.
	for name, store := range cfg.Persistence.DataStores {
		if store.CustomDataStoreConfig != nil {
			options, _ := plain(lookup(t, "persistence", "datastores", name, "customDatastore", "options")).(map[string]any)
			store.CustomDataStoreConfig.Options = options
		}
	}
	return cfg, nil
}

// leaves calls visit for every value of a tree.
func leaves(t tree, prefix string, visit func(path string, n *yaml.Node)) {
	for key, value := range t {
		path := strings.TrimPrefix(prefix+"."+key, ".")
		switch v := value.(type) {
		case tree:
			leaves(v, path, visit)
		case *yaml.Node:
			visit(path, v)
		}
	}
}

// validate checks as upstream does: the tags of the struct when a file is
// loaded (common/config/loader.go), the rest when a server is made.
func validate(cfg *tconfig.Config) error {
	v := validator.NewValidator()
	if err := v.SetValidationFunc("persistence_custom_search_attributes", searchAttributeCounts); err != nil {
		return err
	}
	if err := v.Validate(cfg); err != nil {
		return err // upstream's text
	}
	return cfg.Validate()
}

// maxSearchAttributes is upstream's bound (common/config/validator.go).
const maxSearchAttributes = 99

// searchAttributeCounts checks a map from types of search attributes to how
// many of each a store pre-allocates, 0 to 99.
func searchAttributeCounts(v any, _ string) error {
	counts := reflect.ValueOf(v)
	if counts.Kind() != reflect.Map {
		return validator.ErrUnsupported
	}
	for it := counts.MapRange(); it.Next(); {
		if it.Key().Kind() != reflect.String {
			return validator.ErrUnsupported
		}
		if enumspb.IndexedValueType_shorthandValue[it.Key().String()] == 0 {
			return validator.ErrInvalid
		}
		n := it.Value()
		switch {
		case n.CanInt() && n.Int() >= 0 && n.Int() <= maxSearchAttributes:
		case n.CanUint() && n.Uint() <= maxSearchAttributes:
		case n.CanInt(), n.CanUint():
			return validator.ErrInvalid
		default:
			return validator.ErrUnsupported
		}
	}
	return nil
}
