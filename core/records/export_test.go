package records

// ListAfter sets after how many reads of single runs a source lists all of them.
func (s *Source) ListAfter(n int64) { s.living.after = n }
