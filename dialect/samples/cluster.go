package samples

import "github.com/temporal-ycql/temporal-ycql/core/plan"

func insertNamespace(name string) plan.Mutation {
	return plan.Mutation{
		Table: plan.Namespaces, Op: plan.Insert, Key: []any{name}, Conds: []plan.Cond{absent},
		Effects: []plan.Effect{
			set(plan.NamespaceID, namespace), set(plan.NamespaceDetail, blob("detail")),
			set(plan.NamespaceIsGlobal, false), set(plan.NamespaceNotificationVersion, int64(3)),
		},
		Show: columns(plan.NamespaceID),
	}
}

func namespaceSamples() []Sample {
	version := func(op plan.Op, cond plan.Cond, next int64) plan.Mutation {
		return plan.Mutation{
			Table: plan.NamespaceVersion, Op: op, Key: []any{}, Conds: []plan.Cond{cond},
			Effects: []plan.Effect{set(plan.GlobalNotificationVersion, next)},
		}
	}
	mine := equal(plan.NamespaceID, namespace)
	first := version(plan.Insert, absent, 1)
	next := version(plan.Update, equal(plan.GlobalNotificationVersion, int64(3)), 4)
	all := columns(plan.NamespaceID, plan.NamespaceDetail, plan.NamespaceIsGlobal, plan.NamespaceNotificationVersion)
	return []Sample{
		write("namespace-create-id", "CreateNamespace (id)", "CreateNamespaceID", plan.Mutation{
			Table: plan.NamespaceIDs, Op: plan.Insert, Key: []any{namespace}, Conds: []plan.Cond{absent},
			Effects: []plan.Effect{set(plan.NamespaceIDName, "shop")}, Show: columns(plan.NamespaceIDName),
		}),
		write("namespace-create-first", "CreateNamespace (the first)", "CreateNamespace", insertNamespace("shop"), first),
		write("namespace-create", "CreateNamespace", "CreateNamespace", insertNamespace("shop"), next),
		write("namespace-update", "UpdateNamespace", "UpdateNamespace", next, plan.Mutation{
			Table: plan.Namespaces, Op: plan.Update, Key: []any{"shop"}, Conds: []plan.Cond{mine},
			Effects: []plan.Effect{
				set(plan.NamespaceDetail, blob("detail")), set(plan.NamespaceIsGlobal, false),
				set(plan.NamespaceNotificationVersion, int64(3)),
			},
		}),
		write("namespace-rename-id", "RenameNamespace (id)", "RenameNamespaceID", plan.Mutation{
			Table: plan.NamespaceIDs, Op: plan.Update, Key: []any{namespace}, Conds: []plan.Cond{present},
			Effects: []plan.Effect{set(plan.NamespaceIDName, "store")},
		}),
		write("namespace-rename", "RenameNamespace", "RenameNamespace", insertNamespace("store"),
			plan.Mutation{Table: plan.Namespaces, Op: plan.Delete, Key: []any{"shop"}, Conds: []plan.Cond{mine}}, next),
		write("namespace-delete", "DeleteNamespace, DeleteNamespaceByName", "DeleteNamespace",
			plan.Mutation{Table: plan.Namespaces, Op: plan.Delete, Key: []any{"shop"}, Conds: []plan.Cond{mine}}),
		write("namespace-delete-id", "DeleteNamespace, DeleteNamespaceByName (id)", "DeleteNamespaceID",
			plan.Mutation{Table: plan.NamespaceIDs, Op: plan.Delete, Key: []any{namespace}, Conds: []plan.Cond{present}}),
		read("namespace-get", "GetNamespace", plan.Read{
			Name: "GetNamespace", Table: plan.Namespaces, Eq: 1, Columns: all,
		}, "shop"),
		read("namespace-get-name", "GetNamespace (by id)", plan.Read{
			Name: "GetNamespaceName", Table: plan.NamespaceIDs, Eq: 1, Columns: columns(plan.NamespaceIDName),
		}, namespace),
		read("namespace-list", "ListNamespaces", plan.Read{
			Name: "ListNamespaces", Table: plan.Namespaces, Columns: append(columns(plan.NamespaceName), all[1:]...),
		}),
		read("namespace-version", "GetMetadata", plan.Read{
			Name: "GetMetadata", Table: plan.NamespaceVersion, Columns: columns(plan.GlobalNotificationVersion),
		}),
	}
}

func clusterSamples() []Sample {
	save := func(op plan.Op, cond plan.Cond, version int64) plan.Mutation {
		return plan.Mutation{
			Table: plan.ClusterMetadata, Op: op, Key: []any{"active"}, Conds: []plan.Cond{cond},
			Effects: []plan.Effect{set(plan.ClusterMetadataBlob, blob("cluster")), set(plan.ClusterMetadataVersion, version)},
		}
	}
	members := plan.Read{
		Name: "GetClusterMembers", Table: plan.ClusterMembers, TTLOf: plan.MemberSessionStart,
		Columns: columns(plan.MemberRole, plan.MemberHostID, plan.MemberAddress, plan.MemberPort,
			plan.MemberSessionStart, plan.MemberLastHeartbeat),
	}
	filtered := members
	filtered.Eq = 1
	filtered.Filters = []plan.Filter{
		{Column: plan.MemberHostID, Relation: plan.Is},
		{Column: plan.MemberAddress, Relation: plan.Is},
		{Column: plan.MemberSessionStart, Relation: plan.After},
		{Column: plan.MemberLastHeartbeat, Relation: plan.After},
	}
	return []Sample{
		write("cluster-create", "SaveClusterMetadata (new)", "SaveClusterMetadata", save(plan.Insert, absent, 1)),
		write("cluster-save", "SaveClusterMetadata", "SaveClusterMetadata",
			save(plan.Update, equal(plan.ClusterMetadataVersion, int64(2)), 3)),
		write("cluster-delete", "DeleteClusterMetadata", "DeleteClusterMetadata",
			plan.Mutation{Table: plan.ClusterMetadata, Op: plan.Delete, Key: []any{"active"}, Conds: []plan.Cond{present}}),
		read("cluster-get", "GetClusterMetadata", plan.Read{
			Name: "GetClusterMetadata", Table: plan.ClusterMetadata, Eq: 1,
			Columns: columns(plan.ClusterMetadataBlob, plan.ClusterMetadataVersion),
		}, "active"),
		read("cluster-list", "ListClusterMetadata", plan.Read{
			Name: "ListClusterMetadata", Table: plan.ClusterMetadata,
			Columns: columns(plan.ClusterName, plan.ClusterMetadataBlob, plan.ClusterMetadataVersion),
		}),
		write("member-upsert", "UpsertClusterMembership", "UpsertClusterMembership", plan.Mutation{
			Table: plan.ClusterMembers, Op: plan.Insert, Key: []any{int64(2), host}, TTL: 172800,
			Effects: []plan.Effect{
				set(plan.MemberAddress, "127.0.0.1"), set(plan.MemberPort, int64(45000)),
				set(plan.MemberSessionStart, int64(1700000000000)), set(plan.MemberLastHeartbeat, int64(1700000009000)),
			},
		}),
		read("member-list", "GetClusterMembers", members),
		read("member-list-filtered", "GetClusterMembers (all filters)", filtered,
			int64(2), host, "127.0.0.1", int64(1600000000000), int64(1700000000000)),
	}
}
