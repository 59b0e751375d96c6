package childproc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Talker is a child that gets orders as JSON on its standard input and answers
// each, in order, on its standard output; see [Obey].
type Talker struct {
	*Process

	in      *json.Encoder
	answers chan json.RawMessage
}

// StartTalker starts cmd, whose standard input and output must not be set.
func StartTalker(cmd *exec.Cmd) (*Talker, error) {
	orders, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe to %s: %w", cmd.Path, err)
	}
	defer orders.Close()
	out, told, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("make a pipe from %s: %w", cmd.Path, err)
	}
	defer told.Close()
	cmd.Stdin, cmd.Stdout = orders, told
	p, err := Start(cmd)
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	t := &Talker{Process: p, in: json.NewEncoder(in), answers: make(chan json.RawMessage, 1)}
	go func() {
		defer in.Close()
		defer out.Close()
		defer close(t.answers)
		for d := json.NewDecoder(out); ; {
			var answer json.RawMessage
			if d.Decode(&answer) != nil {
				return
			}
			t.answers <- answer
		}
	}()
	return t, nil
}

// Tell gives an order and does not wait.
func (t *Talker) Tell(order any) error {
	if err := t.in.Encode(order); err != nil {
		return fmt.Errorf("tell a child something: %w", err)
	}
	return nil
}

// Answers are the child's, one for each order. It is closed when the child has
// ended.
func (t *Talker) Answers() <-chan json.RawMessage { return t.answers }

// Obey is the child's side of [StartTalker]. It returns nil when there are no more
// orders.
func Obey[Order, Answer any](obey func(Order) Answer) error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o Order
		if err := in.Decode(&o); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read an order: %w", err)
		}
		if err := out.Encode(obey(o)); err != nil {
			return fmt.Errorf("answer an order: %w", err)
		}
	}
}
