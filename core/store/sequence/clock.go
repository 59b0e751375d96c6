package sequence

import "time"

// moment is a time by two clocks. The running one, Go's monotonic time, never
// jumps, but may stand still while a machine is suspended; the wall clock goes on
// then, and jumps when somebody sets it.
type moment struct{ running, wall time.Time }

// now is the present moment.
func (x *Executor) now() moment { return moment{time.Now(), x.wall().Round(0)} }

// fresh tells whether certainly less than d has passed since m: neither clock may
// say otherwise. One that was set back says nothing that can be relied on.
func (x *Executor) fresh(m moment, d time.Duration) bool {
	now := x.now()
	return now.running.Sub(m.running) < d && now.wall.Sub(m.wall).Abs() < d
}
