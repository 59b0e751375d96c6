package samples

import "github.com/temporal-ycql/temporal-ycql/core/plan"

func queueSamples() []Sample {
	return append(messageSamples(), queueV2Samples()...)
}

func messageSamples() []Sample {
	const queue, dlq = int64(1), int64(-1)
	message := func(op plan.Op, key ...any) plan.Mutation {
		return plan.Mutation{Table: plan.QueueMessages, Op: op, Key: key}
	}
	enqueue := message(plan.Insert, queue, int64(18))
	enqueue.Conds, enqueue.Effects = []plan.Cond{absent}, []plan.Effect{set(plan.MessagePayload, blob("message"))}
	before := message(plan.DeleteRange, queue)
	before.To = bound(plan.Less, int64(10))
	between := message(plan.DeleteRange, dlq)
	between.From, between.To = bound(plan.Greater, int64(3)), bound(plan.LessOrEqual, int64(10))
	metadata := func(op plan.Op, cond plan.Cond, levels []plan.TextIntEntry, version int64) plan.Mutation {
		return plan.Mutation{
			Table: plan.QueueMetadata, Op: op, Key: []any{queue}, Conds: []plan.Cond{cond},
			Effects: []plan.Effect{
				set(plan.QueueClusterAckLevel, levels), set(plan.QueueMetadataBlob, blob("metadata")),
				set(plan.QueueMetadataVersion, version),
			},
		}
	}
	messages := plan.Read{
		Table: plan.QueueMessages, Eq: 1, Columns: columns(plan.MessageID, plan.MessagePayload), From: edge(plan.Greater),
	}
	some, failed := messages, messages
	some.Name, some.Limit = "ReadQueueMessages", plan.LimitArg
	failed.Name, failed.To = "ReadDLQMessages", edge(plan.LessOrEqual)
	return []Sample{
		write("message-init", "Queue.Init", "InitQueue", metadata(plan.Insert, absent, []plan.TextIntEntry{}, 0)),
		write("message-enqueue", "Queue.EnqueueMessage, EnqueueMessageToDLQ", "EnqueueMessage", enqueue),
		write("message-delete-before", "Queue.DeleteMessagesBefore", "DeleteMessagesBefore", before),
		write("message-delete", "Queue.DeleteMessageFromDLQ", "DeleteMessageFromDLQ", message(plan.Delete, dlq, int64(5))),
		write("message-range-delete", "Queue.RangeDeleteMessagesFromDLQ", "RangeDeleteMessagesFromDLQ", between),
		write("message-ack", "Queue.UpdateAckLevel, UpdateDLQAckLevel", "UpdateAckLevel",
			metadata(plan.Update, equal(plan.QueueMetadataVersion, int64(6)), []plan.TextIntEntry{{Key: "active", Value: 17}}, 7)),
		read("message-last", "Queue.EnqueueMessage (last id)", plan.Read{
			Name: "GetLastQueueMessage", Table: plan.QueueMessages, Eq: 1, Desc: true, Limit: 1, Columns: columns(plan.MessageID),
		}, queue),
		read("message-read", "Queue.ReadMessages", some, queue, int64(10), int64(100)),
		read("message-read-dlq", "Queue.ReadMessagesFromDLQ", failed, dlq, int64(3), int64(10)),
		read("message-metadata", "Queue.GetAckLevels, GetDLQAckLevels", plan.Read{
			Name: "GetQueueMetadata", Table: plan.QueueMetadata, Eq: 1,
			Columns: columns(plan.QueueClusterAckLevel, plan.QueueMetadataBlob, plan.QueueMetadataVersion),
		}, queue),
	}
}

func queueV2Samples() []Sample {
	const kind, name = int64(2), "transfer_a_b"
	key := []any{kind, name}
	messages := []any{kind, name, int64(0)}
	metadata := func(op plan.Op, cond plan.Cond, version int64) plan.Mutation {
		return plan.Mutation{
			Table: plan.QueuesV2, Op: op, Key: key, Conds: []plan.Cond{cond},
			Effects: []plan.Effect{set(plan.QueueV2Metadata, blob("queue")), set(plan.QueueV2Version, version)},
		}
	}
	return []Sample{
		write("queue-v2-create", "QueueV2.CreateQueue", "CreateQueue", metadata(plan.Insert, absent, 0)),
		write("queue-v2-enqueue", "QueueV2.EnqueueMessage", "EnqueueMessageV2", plan.Mutation{
			Table: plan.QueueV2Messages, Op: plan.Insert, Key: append(messages[:3:3], int64(9)), Conds: []plan.Cond{absent},
			Effects: []plan.Effect{set(plan.MessagePayload, blob("message"))},
		}),
		write("queue-v2-range-delete", "QueueV2.RangeDeleteMessages", "RangeDeleteMessages", plan.Mutation{
			Table: plan.QueueV2Messages, Op: plan.DeleteRange, Key: messages,
			From: bound(plan.GreaterOrEqual, int64(3)), To: bound(plan.LessOrEqual, int64(8)),
		}),
		write("queue-v2-update", "QueueV2.RangeDeleteMessages (metadata)", "UpdateQueue",
			metadata(plan.Update, equal(plan.QueueV2Version, int64(4)), 5)),
		read("queue-v2-get", "QueueV2 (all calls)", plan.Read{
			Name: "GetQueueV2", Table: plan.QueuesV2, Eq: 2, Columns: columns(plan.QueueV2Metadata, plan.QueueV2Version),
		}, key...),
		read("queue-v2-list", "QueueV2.ListQueues", plan.Read{
			Name: "ListQueuesV2", Table: plan.QueuesV2, Eq: 1,
			Columns: columns(plan.QueueV2Name, plan.QueueV2Metadata, plan.QueueV2Version),
		}, kind),
		read("queue-v2-last", "QueueV2.EnqueueMessage (last id)", plan.Read{
			Name: "GetLastQueueV2Message", Table: plan.QueueV2Messages, Eq: 3, Desc: true, Limit: 1, Columns: columns(plan.MessageID),
		}, messages...),
		read("queue-v2-read", "QueueV2.ReadMessages", plan.Read{
			Name: "ReadQueueV2Messages", Table: plan.QueueV2Messages, Eq: 3, Limit: plan.LimitArg,
			Columns: columns(plan.MessageID, plan.MessagePayload), From: edge(plan.GreaterOrEqual),
		}, append(messages[:3:3], int64(3), int64(100))...),
	}
}

func nexusSamples() []Sample {
	key := []any{plan.NexusEndpointRow, namespace}
	table := []any{plan.NexusVersionRow, [16]byte{}}
	versioned := func(key []any, op plan.Op, cond plan.Cond, version int64, more ...plan.Effect) plan.Mutation {
		return plan.Mutation{
			Table: plan.NexusEndpoints, Op: op, Key: key, Conds: []plan.Cond{cond},
			Effects: append([]plan.Effect{set(plan.NexusEndpointVersion, version)}, more...),
			Show:    columns(plan.NexusEndpointVersion),
		}
	}
	data := set(plan.NexusEndpointData, blob("endpoint"))
	at := func(v int64) plan.Cond { return equal(plan.NexusEndpointVersion, v) }
	return []Sample{
		write("nexus-create-first", "CreateOrUpdateNexusEndpoint (the first)", "CreateOrUpdateNexusEndpoint",
			versioned(table, plan.Insert, absent, 1), versioned(key, plan.Insert, absent, 1, data)),
		write("nexus-update", "CreateOrUpdateNexusEndpoint", "CreateOrUpdateNexusEndpoint",
			versioned(table, plan.Update, at(8), 9), versioned(key, plan.Update, at(2), 3, data)),
		write("nexus-delete", "DeleteNexusEndpoint", "DeleteNexusEndpoint", versioned(table, plan.Update, at(9), 10),
			plan.Mutation{Table: plan.NexusEndpoints, Op: plan.Delete, Key: key, Conds: []plan.Cond{present}}),
		read("nexus-get", "GetNexusEndpoint", plan.Read{
			Name: "GetNexusEndpoint", Table: plan.NexusEndpoints, Eq: 2,
			Columns: columns(plan.NexusEndpointData, plan.NexusEndpointVersion),
		}, key...),
		read("nexus-list", "ListNexusEndpoints", plan.Read{
			Name: "ListNexusEndpoints", Table: plan.NexusEndpoints,
			Columns: columns(plan.NexusRowType, plan.NexusEndpointID, plan.NexusEndpointData, plan.NexusEndpointVersion),
		}),
	}
}
