package server

import (
	"errors"
	"strings"

	"go.uber.org/dig"
)

// rootCause strips what fx and dig wrap around an error: the chain of
// constructors that led to it. Of several errors fx reports the first ones may
// be consequences ("could not build logger"); the last is the cause.
func rootCause(err error) error {
	if err == nil {
		return nil
	}
	cause := dig.RootCause(err)
	if strings.ContainsRune(cause.Error(), '\n') {
		lines := strings.FieldsFunc(cause.Error(), func(r rune) bool { return r == '\n' || r == '\t' })
		return errors.New(strings.Join(lines, " "))
	}
	return cause
}
