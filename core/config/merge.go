package config

import "gopkg.in/yaml.v3"

// mergeFiles lays a later file of a directory over the earlier ones, exactly
// as upstream does by decoding them one after the other into one struct:
// mappings with known keys are merged, an entry of a map is replaced as a
// whole, and null empties what can be empty. Our own sections, which upstream
// does not know, are merged key by key.
func mergeFiles(src, dest tree) error {
	overlay(src, dest, root)
	return nil
}

func overlay(src, dest tree, s shape) {
	for key, value := range src {
		inner, _ := s.key(key)
		from, isTree := value.(tree)
		into, wasTree := dest[key].(tree)
		node, _ := value.(*yaml.Node)
		switch {
		case node != nil && isNull(node) && dest[key] != nil && !inner.nullable():
		case !isTree || !wasTree:
			dest[key] = value
		case s == root && key == "backends":
			deep(from, into)
		case inner.form() == mapping:
			overlay(from, into, inner)
		case inner.form() == table || inner.form() == open:
			for k, v := range from {
				into[k] = v
			}
		default:
			dest[key] = value
		}
	}
}

func deep(src, dest tree) {
	for key, value := range src {
		from, isTree := value.(tree)
		into, wasTree := dest[key].(tree)
		if isTree && wasTree {
			deep(from, into)
			continue
		}
		dest[key] = value
	}
}
