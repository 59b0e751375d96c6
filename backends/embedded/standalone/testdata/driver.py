"""What a program that uses the Python driver does: connect, learn the schema, prepare,
page, batch, compare and set, hear errors and schema changes. The argument is the port."""

import sys
import time

from cassandra import AlreadyExists, InvalidRequest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.query import BatchStatement, BatchType, SimpleStatement


def profile():
    # The time-outs tell of a server that does not answer, not of a slow machine.
    return ExecutionProfile(request_timeout=60, load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc="datacenter1")))


port = int(sys.argv[1])
patient = {"connect_timeout": 60, "control_connection_timeout": 60}
# No protocol version: the driver starts at its highest and steps down.
cluster = Cluster(["127.0.0.1"], port=port, execution_profiles={EXEC_PROFILE_DEFAULT: profile()}, **patient)
session = cluster.connect()
assert cluster.protocol_version == 4, cluster.protocol_version
session.execute("CREATE KEYSPACE py WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
session.set_keyspace("py")
session.execute("CREATE TYPE addr (street text, no int)")
session.execute(
    "CREATE TABLE t (k int, c int, v text, m map<text, int>, s set<text>, a frozen<addr>, PRIMARY KEY ((k), c))"
    " WITH CLUSTERING ORDER BY (c DESC)"
)
try:
    session.execute("CREATE KEYSPACE py WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    raise AssertionError("a keyspace was made twice")
except (AlreadyExists, InvalidRequest):  # Cassandra, YugabyteDB
    pass

insert = session.prepare("INSERT INTO t (k, c, v, m, s) VALUES (?, ?, ?, ?, ?)")
for i in range(100):
    session.execute(insert, (1, i, "v%d" % i, {"a": i}, {"x", "y"}))
rows = list(session.execute(SimpleStatement("SELECT k, c, v, m, s FROM t WHERE k = 1", fetch_size=30)))
assert [r.c for r in rows] == list(range(99, -1, -1)), rows
assert rows[0].v == "v99" and dict(rows[0].m) == {"a": 99} and set(rows[0].s) == {"x", "y"}, rows[0]

futures = [session.execute_async("SELECT v FROM t WHERE k = 1 AND c = %d" % i) for i in range(100)]
assert [f.result().one().v for f in futures] == ["v%d" % i for i in range(100)]

batch = BatchStatement(batch_type=BatchType.UNLOGGED)
batch.add(insert, (2, 1, "b", None, None))
batch.add(SimpleStatement("INSERT INTO t (k, c, v) VALUES (2, 2, 'bb')"))
session.execute(batch)
assert [r.v for r in session.execute("SELECT v FROM t WHERE k = 2")] == ["bb", "b"]

assert session.execute("UPDATE t SET v = 'z' WHERE k = 1 AND c = 1 IF v = 'v1'").was_applied
assert not session.execute("UPDATE t SET v = 'z' WHERE k = 1 AND c = 1 IF v = 'v1'").was_applied

try:
    session.execute("SELECT nope FROM t")
    raise AssertionError("a column that does not exist was selected")
except InvalidRequest as e:
    assert "ndefined" in str(e), e

table = cluster.metadata.keyspaces["py"].tables["t"]
assert [c.name for c in table.partition_key] == ["k"] and [c.name for c in table.clustering_key] == ["c"], table.columns
assert table.columns["m"].cql_type == "map<text, int>" and table.columns["a"].cql_type == "frozen<addr>"
assert "CLUSTERING ORDER BY (c DESC)" in table.export_as_string()
assert "addr" in cluster.metadata.keyspaces["py"].user_types

# A change that another client makes is heard of. YugabyteDB tells only its maker.
if session.execute("SELECT release_version FROM system.local").one().release_version.startswith("5"):
    other = Cluster(["127.0.0.1"], port=port, protocol_version=4, execution_profiles={EXEC_PROFILE_DEFAULT: profile()}, **patient)
    other.connect().execute("DROP KEYSPACE py")
    deadline = time.monotonic() + 60
    while "py" in cluster.metadata.keyspaces:
        assert time.monotonic() < deadline, "no SCHEMA_CHANGE event came"
        time.sleep(0.01)
    other.shutdown()
cluster.shutdown()
print("all is well")
