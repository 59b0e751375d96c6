package backend

import "strings"

// Nearest returns the candidate that a user most likely meant by given, or ""
// if none is near. Case, dashes and underscores count for nothing; otherwise
// one edit in three letters is allowed. Ties go to the earlier candidate.
func Nearest(given string, candidates []string) string {
	fold := strings.NewReplacer("_", "", "-", "")
	g := []rune(strings.ToLower(fold.Replace(given)))
	best, bestAt := "", max(1, len(g)/3)+1
	for _, c := range candidates {
		d := editDistance(g, []rune(strings.ToLower(fold.Replace(c))))
		if d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours (optimal string alignment): the slips that fingers make.
func editDistance(a, b []rune) int {
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, old, row = old, row, older
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
