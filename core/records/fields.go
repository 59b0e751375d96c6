package records

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// FieldDiff is a field in which two records of one name differ. Path names it
// down to the element and, where the blob can be decoded, to the message's
// field: "activities[5].attempt".
type FieldDiff struct {
	Path string
	A, B string // for people; "" is absent
}

func (d FieldDiff) String() string {
	show := func(s string) string {
		if s == "" {
			return "absent"
		}
		return s
	}
	return fmt.Sprintf("%s: %s, %s", d.Path, show(d.A), show(d.B))
}

// Fields returns the fields in which two records of one name differ, in their
// canonical form.
func Fields(a, b *Record) []FieldDiff {
	a, b = a.Canonical(), b.Canonical()
	var all []FieldDiff
	for i, c := range a.Kind.Table().Columns {
		x, y := normal(a.Values[i]), normal(b.Values[i])
		if equalValues(c.Kind, x, y) {
			continue
		}
		all = append(all, a.fieldDiffs(b, c)...)
	}
	if apart := a.Expires - b.Expires; (a.Expires == 0) != (b.Expires == 0) || apart > ExpiryTolerance || apart < -ExpiryTolerance {
		all = append(all, FieldDiff{"expires", instant(a.Expires), instant(b.Expires)})
	}
	return all
}

func instant(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

func equalValues(k plan.Kind, a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return bytes.Equal(appendValue(nil, k, a), appendValue(nil, k, b))
}

// fieldDiffs compares one column that differs, element by element.
func (r *Record) fieldDiffs(o *Record, c *plan.Column) []FieldDiff {
	if c.Kind < plan.Data {
		return []FieldDiff{{c.Name, scalarText(r.Value(c)), scalarText(o.Value(c))}}
	}
	switch c.Kind {
	case plan.TextSet, plan.TextInt:
		return elementDiffs(c.Name, texts(r.Value(c)), texts(o.Value(c)))
	default:
	}
	var all []FieldDiff
	x, y := r.parts(c), o.parts(c)
	at := func(parts []part, path string) *part {
		if i := slices.IndexFunc(parts, func(p part) bool { return p.path == path }); i >= 0 {
			return &parts[i]
		}
		return nil
	}
	for i := range x {
		p := &x[i]
		q := at(y, p.path)
		switch {
		case q == nil:
			all = append(all, FieldDiff{Path: p.path, A: blobText(p.blob)})
		case p.blob.Encoding != q.blob.Encoding || !bytes.Equal(p.blob.Data, q.blob.Data):
			all = append(all, blobDiffs(p, q)...)
		}
	}
	for i := range y {
		if at(x, y[i].path) == nil {
			all = append(all, FieldDiff{Path: y[i].path, B: blobText(y[i].blob)})
		}
	}
	return all
}

// texts renders elements without blobs.
func texts(v any) map[string]string {
	all := make(map[string]string)
	switch v := v.(type) {
	case []string:
		for _, s := range v {
			all[s] = "present"
		}
	case []plan.TextIntEntry:
		for _, e := range v {
			all[e.Key] = fmt.Sprint(e.Value)
		}
	}
	return all
}

func elementDiffs(name string, a, b map[string]string) []FieldDiff {
	keys := make(map[string]bool)
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	var all []FieldDiff
	for k := range keys {
		if a[k] != b[k] {
			all = append(all, FieldDiff{fmt.Sprintf("%s[%q]", name, k), a[k], b[k]})
		}
	}
	slices.SortFunc(all, func(x, y FieldDiff) int { return strings.Compare(x.Path, y.Path) })
	return all
}

func scalarText(v any) string {
	if v == nil {
		return ""
	}
	return plan.FormatValue(v)
}

// blobText is a blob for people: size, encoding and the start of its SHA-256.
func blobText(b plan.Blob) string {
	if absent(b) {
		return ""
	}
	sum := sha256.Sum256(b.Data)
	return fmt.Sprintf("%d bytes %s sha256:%s", len(b.Data), b.Encoding, hex.EncodeToString(sum[:8]))
}

// blobDiffs compares two blobs field by field if both can be decoded and what
// differs shows; else as wholes.
func blobDiffs(a, b *part) []FieldDiff {
	whole := []FieldDiff{{a.path, blobText(a.blob), blobText(b.blob)}}
	if a.message == nil || b.message == nil || a.blob.Encoding != b.blob.Encoding ||
		decodeProto(a.blob, a.message) != nil || decodeProto(b.blob, b.message) != nil {
		return whole
	}
	diffs := messageDiffs(a.path, a.message.ProtoReflect(), b.message.ProtoReflect())
	if len(diffs) == 0 { // the same message in other bytes
		return whole
	}
	return diffs
}

// MessageFields returns the fields in which two messages of one type differ. Path is
// what their paths begin with.
func MessageFields(path string, a, b proto.Message) []FieldDiff {
	return messageDiffs(path, a.ProtoReflect(), b.ProtoReflect())
}

// messageDiffs compares two messages of one type, field by field.
func messageDiffs(path string, a, b protoreflect.Message) []FieldDiff {
	if proto.Equal(a.Interface(), b.Interface()) {
		return nil
	}
	var all []FieldDiff
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := path + "." + string(f.Name())
		x, y := a.Get(f), b.Get(f)
		switch {
		case a.Has(f) && b.Has(f) && x.Equal(y) || !a.Has(f) && !b.Has(f):
		case f.IsMap() && f.MapValue().Message() != nil:
			all = append(all, mapDiffs(name, x.Map(), y.Map())...)
		case f.IsList() && f.Message() != nil && x.List().Len() == y.List().Len():
			for j := range x.List().Len() {
				all = append(all, messageDiffs(fmt.Sprintf("%s[%d]", name, j), x.List().Get(j).Message(), y.List().Get(j).Message())...)
			}
		case f.Message() != nil && !f.IsList() && !f.IsMap() && a.Has(f) && b.Has(f):
			all = append(all, messageDiffs(name, x.Message(), y.Message())...)
		default:
			all = append(all, FieldDiff{name, fieldText(a, f), fieldText(b, f)})
		}
	}
	if !bytes.Equal(a.GetUnknown(), b.GetUnknown()) {
		all = append(all, FieldDiff{path + ".(unknown fields)", hexText(a.GetUnknown()), hexText(b.GetUnknown())})
	}
	return all
}

func mapDiffs(name string, x, y protoreflect.Map) []FieldDiff {
	var all []FieldDiff
	x.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		at := fmt.Sprintf("%s[%v]", name, k.Interface())
		if y.Has(k) {
			all = append(all, messageDiffs(at, v.Message(), y.Get(k).Message())...)
		} else {
			all = append(all, FieldDiff{Path: at, A: messageText(v.Message())})
		}
		return true
	})
	y.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		if !x.Has(k) {
			all = append(all, FieldDiff{Path: fmt.Sprintf("%s[%v]", name, k.Interface()), B: messageText(v.Message())})
		}
		return true
	})
	slices.SortFunc(all, func(a, b FieldDiff) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func messageText(m protoreflect.Message) string {
	return clip(protojson.MarshalOptions{}.Format(m.Interface()))
}

func fieldText(m protoreflect.Message, f protoreflect.FieldDescriptor) string {
	if !m.Has(f) {
		return ""
	}
	// The field alone, as JSON has it.
	only := m.New()
	only.Set(f, m.Get(f))
	return messageText(only)
}

func hexText(b []byte) string { return clip(hex.EncodeToString(b)) }

// clip keeps texts short: they are for people.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(s[:most], ""), len(s))
	}
	return s
}

// Describe renders a record for people: a line with kind and key, and a line for
// each field. Blobs are shown by size and hash or, if decoded is set and their
// message is known, as JSON.
func (r *Record) Describe(decoded bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Unit, r.KeyString())
	for i, c := range r.Kind.Table().Columns {
		v := normal(r.Values[i])
		if v == nil {
			continue
		}
		if c.Kind < plan.Data {
			fmt.Fprintf(&b, "  %s: %s\n", c.Name, scalarText(v))
			continue
		}
		elements := texts(v)
		keys := make([]string, 0, len(elements))
		for k := range elements {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			fmt.Fprintf(&b, "  %s[%q]: %s\n", c.Name, k, elements[k])
		}
		for _, p := range r.parts(c) {
			fmt.Fprintf(&b, "  %s: %s\n", p.path, blobText(p.blob))
			if decoded && p.message != nil {
				if err := decodeProto(p.blob, p.message); err != nil {
					fmt.Fprintf(&b, "    cannot be decoded: %v\n", err)
				} else {
					fmt.Fprintf(&b, "    %s\n", protojson.Format(p.message))
				}
			}
		}
	}
	if r.Expires != 0 {
		fmt.Fprintf(&b, "  expires: %s\n", instant(r.Expires))
	}
	return b.String()
}
