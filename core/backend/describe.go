package backend

import (
	"encoding"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"time"
)

// Option describes one key of an options struct.
type Option struct {
	// Path is the key's place, parts joined by dots.
	Path string
	// Kind is how its value is written: "text", "whole number", "true or
	// false", "duration", "list of text", "mapping", ...
	Kind string
	// Default is its value in the struct that was described, as a user would
	// write it; empty where the default is nothing.
	Default string
	// Secret says that the value is never shown.
	Secret bool
	// Type and Field name the Go field, so that its comment can be found.
	Type  reflect.Type
	Field string
}

// DescribeOptions lists all options of a struct (or a pointer to one) that is
// tagged for [Decode], in the order of the fields, mappings before their keys.
func DescribeOptions(options any) []Option {
	v := reflect.ValueOf(options)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	var out []Option
	var walk func(reflect.Value, string)
	walk = func(v reflect.Value, prefix string) {
		for f := range fields(v.Type()) {
			value := v.Field(f.index)
			path := join(prefix, f.key)
			if f.squash {
				path = prefix
			} else {
				out = append(out, Option{
					Path: path, Kind: kindOf(value.Type()), Default: written(value),
					Secret: value.Type() == secretType || IsSecretKey(f.key),
					Type:   v.Type(), Field: v.Type().Field(f.index).Name,
				})
			}
			if f.nested != nil {
				if value.Kind() == reflect.Pointer {
					if value.IsNil() {
						value = reflect.New(f.nested)
					}
					value = value.Elem()
				}
				walk(value, path)
			}
		}
	}
	walk(v, "")
	return out
}

type field struct {
	index  int
	key    string
	squash bool
	nested reflect.Type // nil unless the field is a mapping of known keys
}

// fields yields the tagged fields of a struct type.
func fields(t reflect.Type) iter.Seq[field] {
	return func(yield func(field) bool) {
		if t.Kind() != reflect.Struct {
			return
		}
		for i := range t.NumField() {
			sf := t.Field(i)
			tag, ok := sf.Tag.Lookup("koanf")
			if !ok || tag == "-" || !sf.IsExported() {
				continue
			}
			key, rest, _ := strings.Cut(tag, ",")
			f := field{index: i, key: key, squash: strings.Contains(rest, "squash")}
			ft := sf.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			if ft.Kind() == reflect.Struct && !reflect.PointerTo(ft).Implements(unmarshaler) {
				f.nested = ft
			}
			if !yield(f) {
				return
			}
		}
	}
}

func kindOf(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == durationType:
		return "duration"
	case t == secretType, reflect.PointerTo(t).Implements(unmarshaler):
		return "text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "whole number"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		return "list of " + kindOf(t.Elem())
	case reflect.Map:
		return "mapping to " + kindOf(t.Elem())
	case reflect.Struct:
		return "mapping"
	default:
		return "anything"
	}
}

// written is v as a user would write it in YAML; empty for nothing.
func written(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		if err != nil {
			return ""
		}
		return string(b)
	}
	switch {
	case v.Type() == durationType:
		return shortDuration(time.Duration(v.Int()))
	case v.Kind() == reflect.Struct, v.Kind() == reflect.String && v.Len() == 0:
		return ""
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Map:
		if v.Len() == 0 {
			return ""
		}
		if v.Kind() == reflect.Slice {
			parts := make([]string, v.Len())
			for i := range parts {
				parts[i] = written(v.Index(i))
			}
			return strings.Join(parts, ", ")
		}
		return fmt.Sprint(v.Interface())
	default:
		return fmt.Sprint(v.Interface())
	}
}

// shortDuration drops the zero units that Duration.String adds: 1h, not 1h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
