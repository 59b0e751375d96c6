package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"
)

// tree is configuration as koanf holds it: values are trees, or *yaml.Node for
// scalars and lists. A node's Line is an index into a book of origins.
type tree = map[string]any

// origin is where a value came from.
type origin struct {
	layer string // file name, "environment variable X", "--set x", ...
	line  int    // in a file, from 1; 0 elsewhere
}

func (o origin) String() string {
	if o.line == 0 {
		return o.layer
	}
	return fmt.Sprintf("%s:%d", o.layer, o.line)
}

// book lists the origins of all values of one configuration.
type book struct {
	origins []origin
	sizes   int
}

func (b *book) add(o origin) int {
	b.origins = append(b.origins, o)
	return len(b.origins)
}

// at returns the origin with this index; the zero origin if there is none.
func (b *book) at(index int) origin {
	if index < 1 || index > len(b.origins) {
		return origin{}
	}
	return b.origins[index-1]
}

// maxNodes bounds what a configuration may grow to when its aliases are
// written out. Stock configurations have a few hundred nodes.
const maxNodes = 100_000

var errTooLarge = errors.New("configuration has too many values, do its aliases repeat each other?")

// parse reads one YAML document. An empty one gives an empty tree.
func (b *book) parse(layer string, data []byte) (tree, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", layer, err)
	}
	if len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return tree{}, nil
	}
	v, err := b.convert(layer, doc.Content[0], 0)
	if err != nil {
		return nil, err
	}
	t, ok := v.(tree)
	if !ok {
		return nil, fmt.Errorf("%s: the top level must be a mapping of keys to values", layer)
	}
	return t, nil
}

// convert turns a YAML node into a tree or a node whose aliases are resolved.
func (b *book) convert(layer string, n *yaml.Node, depth int) (any, error) {
	if b.sizes++; b.sizes > maxNodes || depth > 100 {
		return nil, fmt.Errorf("%s:%d: %w", layer, n.Line, errTooLarge)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return b.convert(layer, n.Alias, depth+1)
	case yaml.MappingNode:
		return b.mapping(layer, n, depth)
	case yaml.SequenceNode:
		out := &yaml.Node{Kind: yaml.SequenceNode, Tag: n.Tag, Style: n.Style, Line: b.add(origin{layer, n.Line})}
		for _, item := range n.Content {
			v, err := b.convert(layer, item, depth+1)
			if err != nil {
				return nil, err
			}
			out.Content = append(out.Content, toNode(v))
		}
		return out, nil
	case yaml.ScalarNode:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: n.Tag, Style: n.Style, Value: n.Value, Line: b.add(origin{layer, n.Line})}, nil
	case yaml.DocumentNode:
	}
	return nil, fmt.Errorf("%s:%d: unexpected YAML", layer, n.Line)
}

func (b *book) mapping(layer string, n *yaml.Node, depth int) (tree, error) {
	out, given := tree{}, map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s:%d: a key must be a plain word", layer, key.Line)
		}
		if key.Tag == "!!merge" {
			if err := b.inherit(layer, n.Content[i+1], depth, out, given); err != nil {
				return nil, err
			}
			continue
		}
		value, err := b.convert(layer, n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if line, twice := given[key.Value]; twice {
			return nil, fmt.Errorf("%s:%d: key %q is given already in line %d", layer, key.Line, key.Value, line)
		}
		given[key.Value] = key.Line
		out[key.Value] = value
	}
	return out, nil
}

// inherit serves the merge key "<<", which names one mapping or a list of them:
// keys that the mapping gives itself, before or after, win; of several merged
// mappings the earlier one.
func (b *book) inherit(layer string, n *yaml.Node, depth int, out tree, given map[string]int) error {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	sources := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		sources = n.Content
	}
	for _, source := range sources {
		value, err := b.convert(layer, source, depth+1)
		if err != nil {
			return err
		}
		from, ok := value.(tree)
		if !ok {
			return fmt.Errorf("%s:%d: << must name a mapping or a list of mappings", layer, n.Line)
		}
		for key, v := range from {
			if _, own := given[key]; own {
				continue
			}
			if _, earlier := out[key]; !earlier {
				out[key] = v
			}
		}
	}
	return nil
}

// toNode writes a tree as one YAML node, keys in alphabetical order.
func toNode(v any) *yaml.Node {
	switch v := v.(type) {
	case *yaml.Node:
		return v
	case tree:
		out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out.Content = append(out.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, toNode(v[key]))
		}
		return out
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	}
}

// plain writes a value as plain data: mappings, lists, and scalars as the text
// that was written, for the reader knows which type it wants. Null is nil.
func plain(v any) any {
	switch v := v.(type) {
	case tree:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = plain(value)
		}
		return out
	case *yaml.Node:
		switch {
		case v.Kind == yaml.SequenceNode:
			out := make([]any, len(v.Content))
			for i, item := range v.Content {
				out[i] = plain(item)
			}
			return out
		case v.Kind == yaml.MappingNode: // inside a list
			out := make(map[string]any, len(v.Content)/2)
			for i := 0; i+1 < len(v.Content); i += 2 {
				out[v.Content[i].Value] = plain(v.Content[i+1])
			}
			return out
		case isNull(v):
			return nil
		default:
			return v.Value
		}
	default:
		return nil
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// lookup finds the value at a path; nil if there is none.
func lookup(t tree, path ...string) any {
	var v any = t
	for _, key := range path {
		inner, ok := v.(tree)
		if !ok {
			return nil
		}
		v = inner[key]
	}
	return v
}

// text is the scalar at a path; empty if there is none, or null.
func text(t tree, path ...string) string {
	if n, ok := lookup(t, path...).(*yaml.Node); ok && n.Kind == yaml.ScalarNode && !isNull(n) {
		return n.Value
	}
	return ""
}

// firstLine is the smallest origin index in a value: where it begins.
func firstLine(v any) int {
	switch v := v.(type) {
	case *yaml.Node:
		return v.Line
	case tree:
		first := 0
		for _, value := range v {
			if line := firstLine(value); line != 0 && (first == 0 || line < first) {
				first = line
			}
		}
		return first
	default:
		return 0
	}
}
