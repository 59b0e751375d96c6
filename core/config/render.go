package config

import (
	"bytes"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// String renders the whole configuration as YAML, secrets masked. A value that
// some layer gave carries the place as a comment; the others are what the
// server assumes, and options of ours that are at their default say so. It can
// be loaded again, but for the masks.
func (l *Loaded) String() string {
	var doc yaml.Node
	if err := doc.Encode(l.Config); err != nil {
		return "cannot be rendered: " + err.Error()
	}
	if otel := l.tree["otel"]; otel != nil {
		replaceKey(&doc, "otel", clone(toNode(otel))) // a type that does not encode itself
	}
	l.annotate(&doc, l.tree, "", false)
	l.addDefaults(&doc)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return "cannot be rendered: " + err.Error()
	}
	return out.String()
}

// addDefaults adds the options of the chosen database that no layer gave.
func (l *Loaded) addDefaults(doc *yaml.Node) {
	if l.Chosen == nil {
		return
	}
	at := []string{"persistence", "datastores", l.Config.Persistence.DefaultStore, "customDatastore", "options"}
	given, _ := lookup(l.tree, at...).(tree)
	for _, o := range backend.DescribeOptions(l.Chosen.Opener.Options()) {
		path := strings.Split(o.Path, ".")
		if o.Default == "" || o.Secret || lookup(given, path...) != nil {
			continue
		}
		n := doc
		for _, key := range slices.Concat(at, path[:len(path)-1]) {
			n = child(n, key)
		}
		n.Content = append(n.Content,
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: path[len(path)-1]},
			&yaml.Node{Kind: yaml.ScalarNode, Value: o.Default, LineComment: "# default"})
	}
}

// child returns the mapping under a key, made if there is none.
func child(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key && m.Content[i+1].Kind == yaml.MappingNode {
			m.Content[i+1].Style = 0
			return m.Content[i+1]
		}
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	replaceKey(m, key, n)
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i+1] == n {
			return n
		}
	}
	m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, n)
	return n
}

// clone copies a node, so that masks and comments do not reach the original.
func clone(n *yaml.Node) *yaml.Node {
	out := *n
	out.Content = make([]*yaml.Node, len(n.Content))
	for i, item := range n.Content {
		out.Content[i] = clone(item)
	}
	return &out
}

func replaceKey(m *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content[i+1] = value
			return
		}
	}
}

// annotate masks secrets below n and notes where values came from. given is
// what the layers say at the same place.
func (l *Loaded) annotate(n *yaml.Node, given any, key string, secret bool) {
	secret = secret || backend.IsSecretKey(key)
	switch n.Kind {
	case yaml.MappingNode:
		t, _ := given.(tree)
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			value := n.Content[i+1]
			l.annotate(value, t[name], name, secret)
			if from := l.book.at(firstLine(t[name])); from != (origin{}) && value.Kind != yaml.MappingNode {
				comment(n.Content[i], value, from.String())
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			l.annotate(item, nil, key, secret)
		}
	case yaml.ScalarNode:
		if secret && n.Value != "" && !isNull(n) {
			*n = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: backend.Mask, Style: yaml.DoubleQuotedStyle}
		}
	case yaml.DocumentNode, yaml.AliasNode:
	}
}

// comment notes a place behind a scalar, and above a list.
func comment(key, value *yaml.Node, text string) {
	text = "# " + strings.ReplaceAll(text, "\n", " ")
	if value.Kind == yaml.SequenceNode && len(value.Content) > 0 {
		key.HeadComment = text
		return
	}
	value.LineComment = text
}
