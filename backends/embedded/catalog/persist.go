package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// The catalog is stored as one JSON document: it is small, it changes seldom, and
// so a change is one write that is there or not.

const formatVersion = 1

type schemaDoc struct {
	Format    int           `json:"format"`
	Dialect   string        `json:"dialect"`
	Version   UUID          `json:"version"`
	Next      uint32        `json:"next"`
	Keyspaces []keyspaceDoc `json:"keyspaces"`
}

type keyspaceDoc struct {
	Name          string            `json:"name"`
	Replication   map[string]string `json:"replication"`
	DurableWrites bool              `json:"durable_writes"`
	Types         []typeDoc         `json:"types,omitempty"`
	Tables        []tableDoc        `json:"tables,omitempty"`
}

type typeDoc struct {
	Name   string   `json:"name"`
	Fields []string `json:"fields"`
	Types  []string `json:"types"`
}

type tableDoc struct {
	Name           string            `json:"name"`
	ID             UUID              `json:"id"`
	Num            uint32            `json:"num"`
	NextColumn     uint32            `json:"next_column"`
	Columns        []columnDoc       `json:"columns"`
	Indexes        []*Index          `json:"indexes,omitempty"`
	Options        map[string]Option `json:"options,omitempty"`
	DefaultTTL     int32             `json:"default_ttl,omitempty"`
	CompactStorage bool              `json:"compact_storage,omitempty"`
	Transactional  bool              `json:"transactional,omitempty"`
	Tablets        int32             `json:"tablets,omitempty"`
}

type columnDoc struct {
	Name     string     `json:"name"`
	Type     string     `json:"type"`
	Kind     ColumnKind `json:"kind"`
	ID       uint32     `json:"id"`
	Position int        `json:"position"`
	Desc     bool       `json:"desc,omitempty"`
}

// New is an empty schema.
func New(d parse.Dialect) *Schema {
	return &Schema{Dialect: d, Version: NewUUID(), Keyspaces: map[string]*Keyspace{}, next: 1}
}

// Marshal is the stored form of the schema.
func (s *Schema) Marshal() ([]byte, error) {
	doc := schemaDoc{Format: formatVersion, Dialect: s.Dialect.String(), Version: s.Version, Next: s.next}
	for _, name := range sortedKeys(s.Keyspaces) {
		ks := s.Keyspaces[name]
		kd := keyspaceDoc{Name: ks.Name, Replication: ks.Replication, DurableWrites: ks.DurableWrites}
		for _, n := range typeOrder(ks) {
			t := ks.Types[n]
			td := typeDoc{Name: n, Fields: t.Fields}
			for _, e := range t.Elems {
				td.Types = append(td.Types, e.String())
			}
			kd.Types = append(kd.Types, td)
		}
		for _, n := range sortedKeys(ks.Tables) {
			t := ks.Tables[n]
			td := tableDoc{
				Name: n, ID: t.ID, Num: t.Num, NextColumn: t.nextColumn, Indexes: t.Indexes, Options: t.Options,
				DefaultTTL: t.DefaultTTL, CompactStorage: t.CompactStorage, Transactional: t.Transactional, Tablets: t.Tablets,
			}
			for _, c := range t.Columns {
				td.Columns = append(td.Columns, columnDoc{c.Name, c.Type.String(), c.Kind, c.ID, c.Position, c.Desc})
			}
			kd.Tables = append(kd.Tables, td)
		}
		doc.Keyspaces = append(doc.Keyspaces, kd)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode the catalog: %w", err)
	}
	return b, nil
}

// Unmarshal reads what Marshal wrote. A catalog of another dialect is refused:
// the personalities store rows differently.
func Unmarshal(b []byte, d parse.Dialect) (*Schema, error) {
	var doc schemaDoc
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	if doc.Format != formatVersion {
		return nil, fmt.Errorf("read the catalog: its format is %d, this program reads %d: open it with the program that wrote it", doc.Format, formatVersion)
	}
	if doc.Dialect != d.String() {
		return nil, fmt.Errorf("the data was made with dialect %s, not %s: set dialect to %s, or name another directory", doc.Dialect, d, doc.Dialect)
	}
	s := &Schema{Dialect: d, Version: doc.Version, Keyspaces: map[string]*Keyspace{}, next: doc.Next}
	for _, kd := range doc.Keyspaces {
		ks := &Keyspace{
			Name: kd.Name, Replication: kd.Replication, DurableWrites: kd.DurableWrites,
			Tables: map[string]*Table{}, Types: map[string]*cqltype.Type{},
		}
		s.Keyspaces[ks.Name] = ks
		resolve := func(_, name string) (*cqltype.Type, error) {
			if t, ok := ks.Types[name]; ok {
				return t, nil
			}
			return nil, fmt.Errorf("unknown type %s.%s", ks.Name, name)
		}
		for _, td := range kd.Types {
			var elems []*cqltype.Type
			for _, e := range td.Types {
				t, err := cqltype.Parse(e, resolve)
				if err != nil {
					return nil, fmt.Errorf("read the catalog: type %s.%s: %w", ks.Name, td.Name, err)
				}
				elems = append(elems, t)
			}
			ks.Types[td.Name] = cqltype.UDTOf(ks.Name, td.Name, td.Fields, elems, false)
		}
		for _, td := range kd.Tables {
			t := &Table{
				Keyspace: ks.Name, Name: td.Name, ID: td.ID, Num: td.Num, nextColumn: td.NextColumn, Indexes: td.Indexes,
				Options: td.Options, DefaultTTL: td.DefaultTTL, CompactStorage: td.CompactStorage,
				Transactional: td.Transactional, Tablets: td.Tablets,
			}
			for _, c := range td.Columns {
				typ, err := cqltype.Parse(c.Type, resolve)
				if err != nil {
					return nil, fmt.Errorf("read the catalog: table %s.%s: %w", ks.Name, td.Name, err)
				}
				t.Columns = append(t.Columns, &Column{Name: c.Name, Type: typ, Kind: c.Kind, ID: c.ID, Position: c.Position, Desc: c.Desc})
			}
			ks.Tables[td.Name] = t.finish(d)
		}
	}
	return s, nil
}

// typeOrder lists a keyspace's types so that each comes after those it uses.
func typeOrder(ks *Keyspace) []string {
	var out []string
	seen := map[string]bool{}
	var visit func(name string)
	var walk func(t *cqltype.Type)
	walk = func(t *cqltype.Type) {
		if t.Kind == cqltype.UDT {
			visit(t.Name)
			return
		}
		for _, e := range t.Elems {
			walk(e)
		}
	}
	visit = func(name string) {
		t := ks.Types[name]
		if seen[name] || t == nil {
			return
		}
		seen[name] = true
		for _, e := range t.Elems {
			walk(e)
		}
		out = append(out, name)
	}
	for _, n := range sortedKeys(ks.Types) {
		visit(n)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
