package main

import (
	"fmt"
	"io"
)

// printf writes to the user. Where a pipe is gone there is nobody left to tell.
func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
