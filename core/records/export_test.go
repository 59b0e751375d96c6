package records

// ListAfter sets after how many reads of single runs a source lists all of them,
// and about how many it remembers.
func (s *Source) ListAfter(n, most int64) { s.living.after, s.living.most = n, most }

// Listed is how many runs a source remembers.
func (s *Source) Listed() int {
	if known := s.living.known.Load(); known != nil {
		return len(*known)
	}
	return 0
}
