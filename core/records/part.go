package records

import (
	"fmt"
	"strconv"
	"strings"
)

// Part is a piece of reading: one shard's partition, or those partitions of a
// table whose hash lies between First and Last, both included, or one unit. Parts
// are values; their text is parsed by [ParsePart].
type Part struct {
	Stage       Stage
	Shard       int64 // of ShardStage
	Unit        Unit  // of UnitStage
	First, Last int64 // of the others
}

// Stage is which tables a part reads.
type Stage string

// The stages.
const (
	ShardStage     Stage = "shard"      // what is in the partition of a shard
	ExecutionStage Stage = "executions" // of all shards, where they are not in its partition
	DLQStage       Stage = "dlq"        // replication DLQs, the same
	HistoryStage   Stage = "history"    // trees and nodes
	QueueStage     Stage = "queues"     // matching's queues of the classic kind
	FairQueueStage Stage = "fairqueues" // and of the fair one
	UserDataStage  Stage = "userdata"
	NamespaceStage Stage = "namespaces"
	ClusterStage   Stage = "cluster"
	MessageStage   Stage = "messages"
	MessageV2Stage Stage = "messagesv2"
	NexusStage     Stage = "nexus"
	// UnitStage is a matching queue or the user data of a namespace by itself: see
	// [Source.PartsOf]. It is none of [Source.Parts].
	UnitStage Stage = "unit"
)

// spans tells whether parts of a stage are ranges of the partition hash.
func (s Stage) spans() bool {
	switch s {
	case ExecutionStage, DLQStage, HistoryStage, QueueStage, FairQueueStage, UserDataStage:
		return true
	default:
		return false
	}
}

func (s Stage) known() bool {
	switch s {
	case ShardStage, UnitStage, NamespaceStage, ClusterStage, MessageStage, MessageV2Stage, NexusStage:
		return true
	default:
		return s.spans()
	}
}

func (p Part) String() string {
	switch {
	case p.Stage == ShardStage:
		return fmt.Sprintf("%s/%d", p.Stage, p.Shard)
	case p.Stage == UnitStage:
		return fmt.Sprintf("%s/%s", p.Stage, p.Unit)
	case p.Stage.spans():
		return fmt.Sprintf("%s/%d/%d", p.Stage, p.First, p.Last)
	default:
		return string(p.Stage)
	}
}

// ParsePart reads what String writes.
func ParsePart(text string) (Part, error) {
	words := strings.Split(text, "/")
	p := Part{Stage: Stage(words[0])}
	var err error
	number := func(s string, bits int) int64 {
		n, e := strconv.ParseInt(s, 10, bits)
		if e != nil {
			err = e
		}
		return n
	}
	switch {
	case !p.Stage.known():
		err = fmt.Errorf("stage is unknown")
	case p.Stage == ShardStage && len(words) == 2:
		p.Shard = number(words[1], 32)
	case p.Stage == UnitStage:
		p.Unit, err = ParseUnit(strings.TrimPrefix(text, string(UnitStage)+"/"))
		if err == nil && p.Unit.key() == nil {
			err = fmt.Errorf("%s is not read by itself", p.Unit)
		}
	case p.Stage.spans() && len(words) == 3:
		p.First, p.Last = number(words[1], 64), number(words[2], 64)
	case p.Stage != ShardStage && p.Stage != UnitStage && !p.Stage.spans() && len(words) == 1:
	default:
		err = fmt.Errorf("has %d words", len(words))
	}
	if err != nil {
		return Part{}, fmt.Errorf("%q is no part: %w", text, err)
	}
	return p, nil
}

// Split halves a part that is too much to read, if it is a range of more than
// one hash. A cursor of the whole is none of the halves.
func (p Part) Split() (a, b Part, ok bool) {
	if !p.Stage.spans() || p.First >= p.Last {
		return p, Part{}, false
	}
	a, b = p, p
	a.Last = p.First + int64((uint64(p.Last)-uint64(p.First))/2)
	b.First = a.Last + 1
	return a, b, true
}

// ranges cuts [first, last] into at most n parts of about equal size.
func ranges(stage Stage, first, last int64, n int) []Part {
	width := uint64(last) - uint64(first) // number of hashes less one
	n = max(1, n)
	if width < uint64(n)-1 {
		n = int(width) + 1
	}
	each, rest := width/uint64(n), width%uint64(n)
	parts := make([]Part, n)
	for i := range parts {
		from := uint64(i)*each + min(uint64(i), rest)
		parts[i] = Part{Stage: stage, First: int64(uint64(first) + from), Last: last}
		if i > 0 {
			parts[i-1].Last = parts[i].First - 1
		}
	}
	return parts
}

// PartsOf returns the parts in which the records of a unit lie, those that are read
// by ranges of the hash cut into n. alone tells that they hold no others: matching
// queues, user data and the small tables. The histories of a shard, and on YCQL its
// executions, lie among those of all others.
func (s *Source) PartsOf(u Unit, n int) (parts []Part, alone bool, err error) {
	if u, err = ParseUnit(string(u)); err != nil {
		return nil, false, fmt.Errorf("records: %w", err)
	}
	stages := map[Unit][]Stage{
		Namespaces: {NamespaceStage}, Cluster: {ClusterStage}, Messages: {MessageStage, MessageV2Stage}, Nexus: {NexusStage},
	}[u]
	for _, stage := range stages {
		parts = append(parts, Part{Stage: stage})
	}
	if stages != nil {
		return parts, true, nil
	}
	if u.key() != nil {
		return []Part{{Stage: UnitStage, Unit: u}}, true, nil
	}
	shard, isShard := u.Shard()
	if isShard && (shard < 1 || shard > int64(s.o.Shards)) {
		return nil, false, fmt.Errorf("records: %s of %d shards", u, s.o.Shards)
	}
	for _, p := range s.Parts(n) {
		switch p.Stage {
		case ShardStage:
			if p.Shard == shard {
				parts = append(parts, p)
			}
		case ExecutionStage, DLQStage:
			if isShard {
				parts = append(parts, p)
			}
		case HistoryStage:
			parts = append(parts, p)
		default:
		}
	}
	return parts, false, nil
}
