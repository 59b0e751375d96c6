package backend

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// Decode decodes raw over *out, a struct that holds defaults and whose fields
// carry koanf tags; a nested struct is a nested mapping. Keys match exactly.
//
// A value decodes if nothing is lost: integers may arrive as text or as whole
// floats (templates and JSON copies make them so), true and false as text,
// durations as text with a unit, lists as one comma-separated text. Text must
// arrive as text, for a YAML number no longer shows how it was written. A null
// leaves the default. A list in raw replaces a default list as a whole.
//
// Unknown keys and values that do not fit are all reported at once, as an
// [*OptionsError] whose text never shows a value that may be secret.
func Decode(raw map[string]any, out any) error {
	// The delimiter must not occur in keys; options may hold free-form maps.
	k := koanf.New("\x1f")
	if err := k.Load(confmap.Provider(raw, ""), nil); err != nil {
		return fmt.Errorf("read options: %w", err)
	}
	err := k.UnmarshalWithConf("", out, koanf.UnmarshalConf{
		DecoderConfig: &mapstructure.DecoderConfig{
			TagName:    "koanf",
			MatchName:  func(key, field string) bool { return key == field },
			DecodeHook: convert,
		},
	})
	var faults Faults
	collect(err, "", &faults)
	// mapstructure reports unknown keys only of mappings that decode.
	known := KeysOf(out)
	unknown(raw, reflect.TypeOf(out), "", func(parent, name string) {
		faults.Add(join(parent, shownKey(name)), "%s", unknownKey(parent, name, known))
	})
	slices.SortStableFunc(faults.list, func(a, b Fault) int { return strings.Compare(a.Path, b.Path) })
	return faults.Err()
}

// KeysOf lists the paths of all options of a struct (or a pointer to one) that
// is tagged for [Decode], mappings and their keys, in the order of the fields.
func KeysOf(options any) []string {
	t := reflect.TypeOf(options)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var paths []string
	var walk func(reflect.Type, string)
	walk = func(t reflect.Type, prefix string) {
		for f := range fields(t) {
			path := join(prefix, f.key)
			if f.squash {
				path = prefix
			} else {
				paths = append(paths, path)
			}
			if f.nested != nil {
				walk(f.nested, path)
			}
		}
	}
	walk(t, "")
	return paths
}

// shownKey quotes a key that would not be read as one part of a path.
func shownKey(name string) string {
	for _, r := range name {
		if r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return strconv.Quote(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}

// unknownKey says what is wrong with a key: the sibling that is nearest, else
// the same key at another place, else the list of siblings.
func unknownKey(parent, name string, known []string) string {
	var siblings, elsewhere []string
	for _, k := range known {
		p, n := "", k
		if i := strings.LastIndexByte(k, '.'); i >= 0 {
			p, n = k[:i], k[i+1:]
		}
		if p == parent {
			siblings = append(siblings, n)
		}
		if n == name {
			elsewhere = append(elsewhere, k)
		}
	}
	if near := Nearest(name, siblings); near != "" {
		return fmt.Sprintf("unknown key, did you mean %q?", near)
	}
	if len(elsewhere) > 0 {
		return fmt.Sprintf("unknown key here, did you mean %q?", elsewhere[0])
	}
	return "unknown key (known here: " + strings.Join(siblings, ", ") + ")"
}

// misfit is a value that does not fit its field; the text shows no secret.
type misfit string

func (m misfit) Error() string { return string(m) }

// collect flattens the tree of errors that mapstructure makes: joined errors of
// siblings, the name of the field around each.
func collect(err error, path string, faults *Faults) {
	switch e := err.(type) { //nolint:errorlint // the tree itself is walked
	case nil:
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			collect(one, path, faults)
		}
	case *mapstructure.DecodeError:
		collect(e.Unwrap(), e.Name(), faults)
	case misfit:
		faults.Add(path, "%s", e.Error())
	case interface{ Unwrap() error }:
		collect(e.Unwrap(), path, faults)
	default:
		// convert sees every value first; should mapstructure object to one on
		// its own, its text holds types and no values.
		faults.Add(path, "%s", e.Error())
	}
}

// unknown calls report with each key in raw that t has no field for.
func unknown(raw any, t reflect.Type, parent string, report func(parent, name string)) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	mapping, ok := raw.(map[string]any)
	if !ok {
		return // convert reports it
	}
	nested := map[string]reflect.Type{}
	var gather func(reflect.Type)
	gather = func(t reflect.Type) {
		for f := range fields(t) {
			if f.squash {
				gather(f.nested)
				continue
			}
			nested[f.key] = f.nested
		}
	}
	gather(t)
	for key, value := range mapping {
		inner, known := nested[key]
		switch {
		case !known:
			report(parent, key)
		case inner != nil:
			unknown(value, inner, join(parent, key), report)
		}
	}
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[Secret]()
	unmarshaler  = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// convert turns a raw value into one of the target's type, or refuses it. It
// is mapstructure's decode hook: it sees every value before it is stored.
func convert(from, to reflect.Value) (any, error) {
	for from.Kind() == reflect.Interface && !from.IsNil() {
		from = from.Elem()
	}
	target := to.Type()
	for target.Kind() == reflect.Pointer {
		target = target.Elem()
	}
	switch {
	case target == durationType:
		return duration(from)
	case reflect.PointerTo(target).Implements(unmarshaler) && target != secretType:
		return text(from, target)
	}
	switch target.Kind() {
	case reflect.Bool:
		return boolean(from)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return integer(from, target)
	case reflect.Float32, reflect.Float64:
		return float(from)
	case reflect.String:
		if from.Kind() != reflect.String {
			return nil, misfit("must be text, not " + kindName(from) + quoteHint(from))
		}
		return reflect.ValueOf(from.String()).Convert(target).Interface(), nil
	case reflect.Slice:
		return list(from, to)
	case reflect.Struct, reflect.Map:
		if from.Kind() != reflect.Map && from.Type() != target {
			return nil, misfit("must be a mapping of keys to values, not " + kindName(from))
		}
	default: // interfaces and the like take anything
	}
	return from.Interface(), nil
}

func duration(from reflect.Value) (any, error) {
	switch {
	case from.Type() == durationType:
		return from.Interface(), nil
	case from.Kind() == reflect.String:
		if d, err := time.ParseDuration(strings.TrimSpace(from.String())); err == nil {
			return d, nil
		}
		return nil, misfit(fmt.Sprintf("must be a duration with a unit such as 10s or 500ms, not %s", shown(from)))
	case isNumber(from) && from.IsZero():
		return time.Duration(0), nil
	default:
		return nil, misfit("must be a duration with a unit such as 10s or 500ms, not " + shown(from))
	}
}

func boolean(from reflect.Value) (any, error) {
	switch from.Kind() {
	case reflect.Bool:
		return from.Bool(), nil
	case reflect.String:
		switch strings.ToLower(strings.TrimSpace(from.String())) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	default:
	}
	return nil, misfit("must be true or false, not " + shown(from))
}

func integer(from reflect.Value, target reflect.Type) (any, error) {
	out := reflect.New(target).Elem()
	refuse := func() (any, error) {
		return nil, misfit("must be a whole number, not " + shown(from))
	}
	tooLarge := func() (any, error) {
		return nil, misfit(shown(from) + " is out of range")
	}
	var n int64
	switch {
	case from.CanInt():
		n = from.Int()
	case from.CanUint():
		if from.Uint() > math.MaxInt64 {
			return tooLarge()
		}
		n = int64(from.Uint())
	case from.CanFloat():
		f := from.Float()
		if f != math.Trunc(f) { // NaN as well
			return refuse()
		}
		if math.Abs(f) > 1<<53 { // above it a float may stand for several integers
			return tooLarge()
		}
		n = int64(f)
	case from.Kind() == reflect.String:
		var err error
		n, err = strconv.ParseInt(strings.TrimSpace(from.String()), 10, 64)
		if errors.Is(err, strconv.ErrRange) {
			return tooLarge()
		}
		if err != nil {
			return refuse()
		}
	default:
		return refuse()
	}
	if out.CanUint() {
		if n < 0 || out.OverflowUint(uint64(n)) {
			return tooLarge()
		}
		out.SetUint(uint64(n))
		return out.Interface(), nil
	}
	if out.OverflowInt(n) {
		return tooLarge()
	}
	out.SetInt(n)
	return out.Interface(), nil
}

func float(from reflect.Value) (any, error) {
	switch {
	case from.CanFloat():
		return from.Float(), nil
	case from.CanInt():
		return float64(from.Int()), nil
	case from.CanUint():
		return float64(from.Uint()), nil
	case from.Kind() == reflect.String:
		f, err := strconv.ParseFloat(strings.TrimSpace(from.String()), 64)
		if err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
	default:
	}
	return nil, misfit("must be a number, not " + shown(from))
}

// text serves options with a vocabulary of their own (consistency levels): the
// type's error says which words there are.
func text(from reflect.Value, target reflect.Type) (any, error) {
	if from.Type() == target {
		return from.Interface(), nil
	}
	if from.Kind() != reflect.String {
		return nil, misfit("must be text, not " + kindName(from) + quoteHint(from))
	}
	out := reflect.New(target)
	if err := out.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(from.String())); err != nil { //nolint:forcetypeassert // convert checked it
		return nil, misfit(err.Error())
	}
	return out.Elem().Interface(), nil
}

// list splits text at commas, and drops a default list: mapstructure would
// otherwise write the given elements over its first ones.
func list(from, to reflect.Value) (any, error) {
	switch from.Kind() {
	case reflect.Slice, reflect.Array:
	case reflect.String:
		parts := []any{}
		for part := range strings.SplitSeq(from.String(), ",") {
			if part = strings.TrimSpace(part); part != "" {
				parts = append(parts, part)
			}
		}
		from = reflect.ValueOf(parts)
	default:
		return nil, misfit("must be a list, not " + kindName(from))
	}
	if to.CanSet() && to.Kind() == reflect.Slice {
		to.SetZero()
	}
	return from.Interface(), nil
}

func isNumber(v reflect.Value) bool { return v.CanInt() || v.CanUint() || v.CanFloat() }

// shown is a short scalar for a message, else its kind. It is used only for
// targets that hold no secret (numbers, durations, booleans); long text is not
// shown because it is something else than what belongs there.
func shown(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.String && len(v.String()) <= 24:
		return strconv.Quote(v.String())
	case isNumber(v), v.Kind() == reflect.Bool:
		return fmt.Sprint(v.Interface())
	default:
		return kindName(v)
	}
}

func kindName(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.String:
		return "text"
	case v.Kind() == reflect.Bool:
		return "true or false"
	case isNumber(v):
		return "a number"
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Array:
		return "a list"
	case v.Kind() == reflect.Map || v.Kind() == reflect.Struct:
		return "a mapping"
	default:
		return "a " + v.Kind().String()
	}
}

func quoteHint(v reflect.Value) string {
	if isNumber(v) || v.Kind() == reflect.Bool {
		return ": put it in quotes"
	}
	return ""
}
