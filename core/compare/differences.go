package compare

import (
	"fmt"
	"sort"

	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/config"
)

// Differences lists the settings in which two configurations differ, as
// render-config shows them: secrets masked.
func Differences(a, b *config.Loaded) []result.Difference {
	x, y := flat(a.String()), flat(b.String())
	paths := map[string]bool{}
	for p := range x {
		paths[p] = true
	}
	for p := range y {
		paths[p] = true
	}
	var all []result.Difference
	for p := range paths {
		if x[p] != y[p] {
			all = append(all, result.Difference{Path: p, A: x[p], B: y[p]})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all
}

// flat maps paths to values.
func flat(text string) map[string]string {
	out := map[string]string{}
	var tree any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		return out
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				next := k
				if path != "" {
					next = path + "." + k
				}
				walk(next, inner)
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), inner)
			}
		case nil:
		default:
			// What nobody set is not a difference to what has it by default.
			if s := fmt.Sprint(v); s != "" && s != "0" && s != "false" && s != "0s" {
				out[path] = s
			}
		}
	}
	walk("", tree)
	return out
}
