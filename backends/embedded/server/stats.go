package server

import (
	"sync"
	"sync/atomic"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// stats are the counters of the whole server.
type stats struct {
	Counters // sums of all connections

	accepted, refused atomic.Int64
	inFlight          atomic.Int64
	overloaded        atomic.Int64
	slowClients       atomic.Int64
	failedLogins      atomic.Int64
	protocolErrors    atomic.Int64
	panics            atomic.Int64
	errorsMu          sync.Mutex
	errors            map[wire.ErrorCode]int64
}

func (s *stats) countError(code wire.ErrorCode) {
	s.errorsMu.Lock()
	if s.errors == nil {
		s.errors = map[wire.ErrorCode]int64{}
	}
	s.errors[code]++
	s.errorsMu.Unlock()
}

// Stats is a reading of a server's metrics.
type Stats struct {
	Counts // sums over all connections since start

	Connections  int   // open now
	Accepted     int64 // since start, as all below
	Refused      int64 // above MaxConnections
	InFlight     int64 // requests that run now
	RequestBytes int64 // of requests that run or are being read now
	UnreadBytes  int64 // of answers that clients have not taken yet, now
	Overloaded   int64 // requests refused with OVERLOADED by the server itself
	SlowClients  int64 // connections cut off because their client did not read
	FailedLogins int64
	// ProtocolErrors are malformed requests and wrong versions.
	ProtocolErrors int64
	Panics         int64 // of the engine, answered with SERVER_ERROR
	Errors         map[wire.ErrorCode]int64

	PreparedStatements, PreparedBytes               int
	PreparedHits, PreparedMisses, PreparedEvictions int64
}

// Stats reads the metrics.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	open := len(s.conns)
	s.mu.Unlock()
	st := Stats{
		Counts: s.stats.Counts(), Connections: open,
		Accepted: s.stats.accepted.Load(), Refused: s.stats.refused.Load(),
		InFlight: s.stats.inFlight.Load(), RequestBytes: s.requestBytes.Load(), UnreadBytes: s.unread.Load(),
		Overloaded: s.stats.overloaded.Load(), SlowClients: s.stats.slowClients.Load(),
		FailedLogins: s.stats.failedLogins.Load(), ProtocolErrors: s.stats.protocolErrors.Load(), Panics: s.stats.panics.Load(),
		Errors:       map[wire.ErrorCode]int64{},
		PreparedHits: s.cache.hits.Load(), PreparedMisses: s.cache.misses.Load(), PreparedEvictions: s.cache.evictions.Load(),
	}
	s.stats.errorsMu.Lock()
	for code, n := range s.stats.errors {
		st.Errors[code] = n
	}
	s.stats.errorsMu.Unlock()
	st.PreparedStatements, st.PreparedBytes = s.cache.len()
	return st
}

// ConnInfo describes an open connection.
type ConnInfo struct {
	ID       int64
	Remote   string
	User     string // "" without login
	Driver   string // DRIVER_NAME and DRIVER_VERSION of STARTUP
	Version  wire.Version
	Keyspace string
	Counts   Counts
}

// Connections lists the open connections, in no order.
func (s *Server) Connections() []ConnInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]ConnInfo, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c.info())
	}
	return list
}
