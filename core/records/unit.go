package records

import (
	"fmt"
	"hash/fnv"
	"net/url"
	"strconv"
	"strings"
)

// Unit names what is copied, verified and switched as one. Its text is for
// people and programs alike: "shard/7", "queue/<namespace id>/<type>/<name>",
// "userdata/<namespace id>", or one of the constants.
type Unit string

// The units of which a deployment has one.
const (
	Namespaces Unit = "namespaces" // namespaces, ids and version
	Cluster    Unit = "cluster"    // cluster metadata
	Messages   Unit = "messages"   // the queues of both kinds and their messages
	Nexus      Unit = "nexus"      // endpoints and the version of their table
	// Unowned are histories of which nothing tells the shard: the branch cannot
	// be decoded, or does not name its workflow.
	Unowned Unit = "unowned"
	// Treeless are the nodes of histories that have no row in history_tree at all,
	// the only one that names a workflow. An execution may still need them (it
	// names its branch itself), so they are carried like any other, never dropped.
	Treeless Unit = "treeless"
)

const (
	shardUnit    = "shard/"
	queueUnit    = "queue/"
	userDataUnit = "userdata/"
)

// ShardUnit is the unit of a shard, with its histories.
func ShardUnit(shard int64) Unit { return Unit(shardUnit + strconv.FormatInt(shard, 10)) }

// QueueUnit is the unit of a matching queue (a task queue partition): the
// classic and the fair one together.
func QueueUnit(namespace [16]byte, name string, taskType int64) Unit {
	return Unit(fmt.Sprintf("%s%s/%d/%s", queueUnit, formatUUID(namespace), taskType, url.PathEscape(name)))
}

// UserDataUnit is the unit of the user data of a namespace's task queues.
func UserDataUnit(namespace [16]byte) Unit { return Unit(userDataUnit + formatUUID(namespace)) }

// Shard returns the shard of a shard's unit.
func (u Unit) Shard() (shard int64, ok bool) {
	text, ok := strings.CutPrefix(string(u), shardUnit)
	if !ok {
		return 0, false
	}
	shard, err := strconv.ParseInt(text, 10, 32)
	return shard, err == nil
}

// key is the key of the partitions that are the whole of a unit, in every dialect:
// of a queue namespace, name and type, of user data the namespace; nil for others.
func (u Unit) key() []any {
	if rest, ok := strings.CutPrefix(string(u), queueUnit); ok {
		parts := strings.Split(rest, "/")
		if len(parts) != 3 {
			return nil
		}
		namespace, idErr := parseUUID(parts[0])
		taskType, typeErr := strconv.ParseInt(parts[1], 10, 32)
		name, nameErr := url.PathUnescape(parts[2])
		if idErr != nil || typeErr != nil || nameErr != nil {
			return nil
		}
		return []any{namespace, name, taskType}
	}
	if rest, ok := strings.CutPrefix(string(u), userDataUnit); ok {
		if namespace, err := parseUUID(rest); err == nil {
			return []any{namespace}
		}
	}
	return nil
}

// Group is under which name digests keep a unit. There may be millions of
// queues (each worker has sticky ones): they share 256 groups, and so do user
// data, so that a digest has a bounded size.
func (u Unit) Group() Unit {
	for _, prefix := range []string{queueUnit, userDataUnit} {
		if strings.HasPrefix(string(u), prefix) {
			h := fnv.New32a()
			_, _ = h.Write([]byte(u)) // never fails
			return Unit(fmt.Sprintf("%s*%02x", prefix, byte(h.Sum32())))
		}
	}
	return u
}

// ParseUnit checks the text of a unit.
func ParseUnit(text string) (Unit, error) {
	u := Unit(text)
	switch u {
	case Namespaces, Cluster, Messages, Nexus, Unowned, Treeless:
		return u, nil
	}
	if _, ok := u.Shard(); ok {
		return u, nil
	}
	if u.key() != nil {
		return u, nil
	}
	return "", fmt.Errorf("%q is no unit: want shard/N, queue/NAMESPACE-ID/TYPE/NAME, userdata/NAMESPACE-ID, %s, %s, %s, %s, %s or %s",
		text, Namespaces, Cluster, Messages, Nexus, Unowned, Treeless)
}
