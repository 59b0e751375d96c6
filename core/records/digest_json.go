package records

import (
	"encoding/json"
	"fmt"
	"slices"
)

// digestVersion is that of the JSON form of digests.
const digestVersion = 1

type digestJSON struct {
	Version  int        `json:"version"`
	Encoding int        `json:"encoding"`
	Level    Level      `json:"level"`
	Buckets  int        `json:"buckets"`
	Cells    []cellJSON `json:"cells"`
}

type cellJSON struct {
	Slot
	Cell
}

// MarshalJSON writes a digest for storing: cells sorted, with versions.
func (d *Digest) MarshalJSON() ([]byte, error) {
	out := digestJSON{Version: digestVersion, Encoding: EncodingVersion, Level: d.Level, Buckets: d.Buckets}
	for slot, cell := range d.Cells {
		out.Cells = append(out.Cells, cellJSON{slot, cell})
	}
	slices.SortFunc(out.Cells, func(a, b cellJSON) int { return a.Compare(b.Slot) })
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes, of this version only.
func (d *Digest) UnmarshalJSON(b []byte) error {
	var in digestJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.Version != digestVersion || in.Encoding != EncodingVersion {
		return fmt.Errorf("digest has version %d of encoding %d, this program reads %d of %d: make it again",
			in.Version, in.Encoding, digestVersion, EncodingVersion)
	}
	if in.Buckets < 1 || in.Level < Counts || in.Level > Content {
		return fmt.Errorf("digest of level %d with %d buckets", in.Level, in.Buckets)
	}
	*d = *NewDigest(in.Level)
	d.Buckets = in.Buckets
	for _, c := range in.Cells {
		d.Cells[c.Slot] = c.Cell
	}
	return nil
}
