package records

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Canonical returns the record as it is compared: a shard without its lease,
// owner and the time of its last update; CHASM nodes in two parts, whatever form
// the database keeps them in. What cannot be decoded stays as it is, byte by
// byte: that is a matter of level [Meaning].
func (r *Record) Canonical() *Record {
	switch r.Kind {
	case Shard:
		return r.canonicalShard()
	case Execution:
		if nodes, ok := r.Value(plan.ChasmNodes).([]plan.NodeEntry); ok {
			return r.With(plan.ChasmNodes, splitNodes(nodes))
		}
	default:
	}
	return r
}

func (r *Record) canonicalShard() *Record {
	c := r.With(plan.ShardRangeID, nil)
	blob := r.Blob(plan.ShardInfo)
	var info persistencespb.ShardInfo
	if decodeProto(blob, &info) != nil {
		return c
	}
	info.RangeId, info.Owner, info.UpdateTime = 0, "", nil
	data, err := marshal(&info)
	if err != nil {
		return c
	}
	return c.With(plan.ShardInfo, plan.Blob{Data: data, Encoding: proto3})
}

// decodeProto reads a blob of either of the server's encodings. Data without an
// encoding's name is Proto3, as in the server.
func decodeProto(b plan.Blob, into proto.Message) error {
	switch b.Encoding {
	case proto3, "":
		return proto.Unmarshal(b.Data, into)
	case enumspb.ENCODING_TYPE_JSON.String():
		return protojson.Unmarshal(b.Data, into)
	default:
		return fmt.Errorf("has the unknown encoding %q", b.Encoding)
	}
}

// splitNodes brings nodes into one form: two blobs, of which the metadata is
// encoded anew, since the order of a map's entries in it is nobody's.
func splitNodes(nodes []plan.NodeEntry) []plan.NodeEntry {
	split := make([]plan.NodeEntry, len(nodes))
	for i, n := range nodes {
		split[i] = n
		parts := n.Value
		if !absent(parts.Whole) {
			var err error
			if parts, err = SplitNode(parts.Whole); err != nil {
				continue
			}
		}
		var metadata persistencespb.ChasmNodeMetadata
		if decodeProto(parts.Metadata, &metadata) != nil {
			continue
		}
		if data, err := marshal(&metadata); err == nil {
			parts.Metadata = plan.Blob{Data: data, Encoding: proto3}
			split[i].Value = parts
		}
	}
	return split
}

var proto3 = enumspb.ENCODING_TYPE_PROTO3.String()

// marshal encodes a message so that equal ones give equal bytes.
func marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// SplitNode turns a CHASM node that is stored as one blob into one of two, as
// the server's serializer makes them (ChasmNodeToBlobs).
func SplitNode(whole plan.Blob) (plan.Node, error) {
	var node persistencespb.ChasmNode
	if err := decodeProto(whole, &node); err != nil {
		return plan.Node{}, fmt.Errorf("CHASM node: %w", err)
	}
	if len(node.ProtoReflect().GetUnknown()) > 0 {
		return plan.Node{}, fmt.Errorf("CHASM node has fields that this program does not know")
	}
	metadata, err := marshal(node.GetMetadata())
	if err != nil {
		return plan.Node{}, fmt.Errorf("CHASM node: %w", err)
	}
	parts := plan.Node{Metadata: plan.Blob{Data: metadata, Encoding: proto3}}
	if data := node.GetData(); data != nil {
		parts.Body = plan.Blob{Data: data.GetData(), Encoding: data.GetEncodingType().String()}
	}
	return parts, nil
}

// JoinNode is the inverse of SplitNode, for databases that store one blob.
func JoinNode(parts plan.Node) (plan.Blob, error) {
	node := persistencespb.ChasmNode{Metadata: &persistencespb.ChasmNodeMetadata{}}
	if err := decodeProto(parts.Metadata, node.Metadata); err != nil {
		return plan.Blob{}, fmt.Errorf("metadata of CHASM node: %w", err)
	}
	if !absent(parts.Body) {
		encoding, err := enumspb.EncodingTypeFromString(parts.Body.Encoding)
		if err != nil {
			return plan.Blob{}, fmt.Errorf("data of CHASM node: %w", err)
		}
		node.Data = &commonpb.DataBlob{Data: parts.Body.Data, EncodingType: encoding}
	}
	data, err := marshal(&node)
	if err != nil {
		return plan.Blob{}, fmt.Errorf("CHASM node: %w", err)
	}
	return plan.Blob{Data: data, Encoding: proto3}, nil
}
