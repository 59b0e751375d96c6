package records

import (
	"encoding/json"
	"fmt"
)

// Cursor says where in a part the next page begins. It is opaque, may be stored,
// and is of one version of this package; nil is the start, and the end.
type Cursor []byte

const cursorVersion = 2

// position is what a cursor holds.
type position struct {
	Version int    `json:"v"`
	Part    string `json:"part"`
	// Step of the part's work; Token is the server's, of the step's own read.
	Step  int    `json:"step"`
	Token []byte `json:"token,omitempty"`
	// Listed tells that a step with partitions has listed all of them.
	Listed bool `json:"listed,omitempty"`
	// Pending are the partitions that were listed and not read to their end.
	Pending []pending `json:"pending,omitempty"`
	// Windows are how far histories are read.
	Windows *windows `json:"windows,omitempty"`
	// Last is the key of the last record of a table in which servers may show two
	// rows of one key, the latest first: only the first of them is a record.
	Last []byte `json:"last,omitempty"`
	// Rows is how many rows the last page's size lets one hope to fit a page.
	Rows int `json:"rows,omitempty"`
}

// pending is a partition on its way.
type pending struct {
	Key   []byte `json:"key"`
	Sub   int    `json:"sub,omitempty"`
	Token []byte `json:"token,omitempty"`
}

func (p *position) cursor() (Cursor, error) {
	p.Version = cursorVersion
	return json.Marshal(p)
}

func parseCursor(part Part, c Cursor) (*position, error) {
	p := &position{Version: cursorVersion, Part: part.String()}
	if c == nil {
		return p, nil
	}
	if err := json.Unmarshal(c, p); err != nil {
		return nil, fmt.Errorf("cursor of %s: %w", part, err)
	}
	if p.Version != cursorVersion {
		return nil, fmt.Errorf("cursor of %s has version %d, this program reads %d: read the part from its start", part, p.Version, cursorVersion)
	}
	if p.Part != part.String() {
		return nil, fmt.Errorf("cursor of %s is one of %s", part, p.Part)
	}
	return p, nil
}

// encodeKey and decodeKey turn a partition's key into bytes and back.
func encodeKey(l *listing, key []any) []byte {
	var b []byte
	for i, c := range l.key {
		b = appendValue(b, c.Kind, key[i])
	}
	return b
}

func decodeKey(l *listing, b []byte) ([]any, error) {
	d := decoder{rest: b}
	key := make([]any, len(l.key))
	for i, c := range l.key {
		key[i] = d.value(c)
	}
	if d.err == nil && len(d.rest) > 0 {
		d.err = fmt.Errorf("has %d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return nil, fmt.Errorf("cursor: key of a partition: %w", d.err)
	}
	return key, nil
}
