package cqltype

import (
	"fmt"
	"strings"
)

// maxDepth bounds the nesting of types and of literals, so that hostile input
// cannot exhaust the stack.
const maxDepth = 64

// Resolver finds a user-defined type; keyspace is empty where the text names
// none. The type it returns is not frozen.
type Resolver func(keyspace, name string) (*Type, error)

// Parse reads a type's CQL name, as [Type.String] writes it and as people write
// it: names of native types in any case, white space anywhere. resolve may be
// nil if no user-defined type can occur.
func Parse(s string, resolve Resolver) (*Type, error) {
	p := typeParser{src: s, resolve: resolve}
	t, err := p.parse(0)
	if err == nil {
		p.space()
		if p.pos < len(p.src) {
			err = fmt.Errorf("unexpected %q at offset %d", p.src[p.pos:], p.pos)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("type %q: %w", s, err)
	}
	return t, nil
}

type typeParser struct {
	src     string
	pos     int
	resolve Resolver
}

func (p *typeParser) space() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *typeParser) eat(c byte) bool {
	p.space()
	if p.pos < len(p.src) && p.src[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *typeParser) ident() (name string, quoted bool, err error) {
	p.space()
	if p.eat('"') {
		var b strings.Builder
		for p.pos < len(p.src) {
			c := p.src[p.pos]
			p.pos++
			if c != '"' {
				b.WriteByte(c)
				continue
			}
			if p.pos >= len(p.src) || p.src[p.pos] != '"' {
				return b.String(), true, nil
			}
			b.WriteByte('"')
			p.pos++
		}
		return "", true, fmt.Errorf("a quoted name is not closed")
	}
	start := p.pos
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			p.pos++
			continue
		}
		break
	}
	if start == p.pos {
		return "", false, fmt.Errorf("a type name is missing at offset %d", start)
	}
	return strings.ToLower(p.src[start:p.pos]), false, nil
}

func (p *typeParser) parse(depth int) (*Type, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	name, quoted, err := p.ident()
	if err != nil {
		return nil, err
	}
	if !quoted {
		if t, ok := ByName(name); ok {
			return t, nil
		}
		switch name {
		case "frozen", "list", "set", "map", "tuple":
			if p.eat('<') {
				return p.parametric(name, depth)
			}
		}
	}
	keyspace := ""
	if p.eat('.') {
		keyspace = name
		if name, _, err = p.ident(); err != nil {
			return nil, err
		}
	}
	if p.resolve == nil {
		return nil, fmt.Errorf("unknown type %s", name)
	}
	return p.resolve(keyspace, name)
}

func (p *typeParser) parametric(name string, depth int) (*Type, error) {
	var args []*Type
	for {
		t, err := p.parse(depth + 1)
		if err != nil {
			return nil, err
		}
		args = append(args, t)
		if p.eat('>') {
			break
		}
		if !p.eat(',') {
			return nil, fmt.Errorf("',' or '>' is missing at offset %d", p.pos)
		}
	}
	want := map[string]int{"frozen": 1, "list": 1, "set": 1, "map": 2}[name]
	if want != 0 && len(args) != want {
		return nil, fmt.Errorf("%s takes %d type arguments, not %d", name, want, len(args))
	}
	switch name {
	case "frozen":
		f := args[0].Freeze()
		if f == args[0] {
			return nil, fmt.Errorf("%s cannot be frozen", args[0])
		}
		return f, nil
	case "list":
		return ListOf(args[0], false), nil
	case "set":
		return SetOf(args[0], false), nil
	case "map":
		return MapOf(args[0], args[1], false), nil
	default:
		return TupleOf(args...), nil
	}
}
