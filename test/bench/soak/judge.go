package main

import (
	"fmt"
	"maps"
	"slices"
)

// judged are as many samples as a verdict needs: two parts of two each.
const judged = 8

// judge says what grew in the part of a run in which nothing was disturbed: in its
// last quarter more than in its second, by more than chance explains. The first quarter
// is left out: caches fill then.
func judge(samples []sample) (faults []string) {
	calm := slices.DeleteFunc(slices.Clone(samples), func(s sample) bool { return s.Disturbed })
	if len(calm) < judged {
		return []string{fmt.Sprintf("%d samples of the undisturbed part, too few to see what grows: run for longer", len(calm))}
	}
	quarter := len(calm) / 4
	early, late := calm[quarter:2*quarter], calm[len(calm)-quarter:]
	grew := func(what string, percent, slack int64, of func(s sample) int64) {
		before, after := median(early, of), median(late, of)
		if after > before+before*percent/100+slack {
			faults = append(faults, fmt.Sprintf("%s grew from %d to %d", what, before, after))
		}
	}
	grew("the server's memory in MiB", 25, 48, func(s sample) int64 { return s.ServerMB })
	grew("the server's open files", 20, 32, func(s sample) int64 { return s.ServerFile })
	grew("the server's goroutines", 20, 100, func(s sample) int64 { return s.Goroutines })
	grew("the engine's memory in MiB", 25, 48, func(s sample) int64 { return s.EngineMB })
	grew("the engine's open files", 20, 32, func(s sample) int64 { return s.EngineFile })
	grew("the engine's data in MiB", 25, 48, func(s sample) int64 { return s.DiskMB })
	for _, table := range slices.Sorted(maps.Keys(calm[0].Rows)) {
		grew("the rows of "+table, 50, few, func(s sample) int64 { return s.Rows[table] })
	}
	return faults
}

func median(samples []sample, of func(s sample) int64) int64 {
	values := make([]int64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
