// Package compare runs two databases side by side and says what differs.
//
// A run is made of blocks: one measurement of one arm in one scenario, on a database
// of its own with the same seed. Two blocks, one of each arm, form a pair; pairs run
// in the order A B, B A, A B, ... so that a drift of the machine meets both alike.
// [Run] is the orchestrator: it knows nothing of store calls or workflows, but orders
// blocks, marks and repeats contaminated ones, has states compared, judges, and writes
// what it has after every block, so that an interrupted run resumes.
//
// What happens in a block is a [Level]'s. There are two:
//
//   - core/compare/storelevel: store calls through Temporal's persistence interfaces,
//     in this process;
//   - core/compare/cluster: a whole server of each arm in a child process, driven by
//     the SDK. cluster.New(cluster.Options) (Level, error).
//
// A level prepares each arm once, then is asked for blocks, one at a time, never two
// at once. Per pair the calls are
//
//	Block(first), Block(second), Agree(a, b), Drop(a), Drop(b)
//
// and a contaminated block is dropped and asked for again with the next Attempt. The
// database of a block is [arm.Arm.Create]'s with the name [Spec.Database]; for a
// server in a child process [arm.Database.Settings] are what to give to
// "temporal-server --config-file FILE --set ...", which opens the same database.
// Schema is there when Create returns, except where the database is part of the
// process that opens it.
//
// The report for people is core/compare/report: report.Write(io.Writer, *result.Run)
// renders a run, whatever level made it, and needs nothing beside it: verdicts are
// judged here ([Judge]) and are part of the run.
//
// The packages below: load (schedules, histograms), stats (what pairs allow to be
// said), result (the run as JSON), arm (databases of a run's own), machine (who used
// the processors).
package compare
