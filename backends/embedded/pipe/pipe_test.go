package pipe_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/pipe"
)

var addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9042}

// The rules of net.Conn, as the standard library's own suite tests them: deadlines
// past, present and future, concurrent use, close while waiting.
func TestAConnectionKeepsTheRulesOfNetConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, c2 = pipe.New(addr, addr)
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}

func TestWhatWasWrittenBeforeACloseCanBeRead(t *testing.T) {
	a, b := pipe.New(addr, addr)
	if _, err := a.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	a.Close()
	got, err := io.ReadAll(b)
	if err != nil || string(got) != "last words" {
		t.Fatalf("read %q, %v", got, err)
	}
	if _, err := b.Write([]byte("x")); err == nil {
		t.Fatal("writing to a closed peer succeeded")
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("reading after one's own close: %v, want net.ErrClosed", err)
	}
}

func TestAHalfClosedConnectionStillBringsAnswers(t *testing.T) {
	a, b := pipe.New(addr, addr)
	a.(interface{ CloseWrite() error }).CloseWrite()
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("Read() = %v, want EOF", err)
	}
	if _, err := b.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if got, err := io.ReadAll(a); err != nil || string(got) != "answer" {
		t.Fatalf("read %q, %v", got, err)
	}
}

func TestAWriterWaitsForRoomAndHoldsNoMoreThanTheWindow(t *testing.T) {
	a, b := pipe.New(addr, addr)
	defer b.Close()
	var n int
	done := make(chan error, 1)
	go func() {
		var err error
		n, err = a.Write(make([]byte, 10*pipe.Window))
		done <- err
	}()
	// When there is something to read, what has room is there: it is written in one
	// piece. The byte that is read makes room for another, which may come or not
	// before the deadline does.
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	a.SetWriteDeadline(time.Unix(1, 0))
	if err := <-done; n < pipe.Window || n > pipe.Window+1 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("wrote %d, %v; want %d or one more and a deadline", n, err, pipe.Window)
	}
	a.SetWriteDeadline(time.Time{})
	go func() {
		_, err := a.Write([]byte("more"))
		done <- err
	}()
	got := make([]byte, n-1+len("more"))
	if _, err := io.ReadFull(b, got); err != nil || string(got[n-1:]) != "more" {
		t.Fatalf("read %q, %v", got[n-1:], err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a.Close()
}

func TestBytesArriveInOrderWhateverThePieces(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	sent := make([]byte, 5*pipe.Window)
	for i := range sent {
		sent[i] = byte(r.Uint32())
	}
	a, b := pipe.New(addr, addr)
	var sizes []int
	for left := len(sent); left > 0; {
		n := min(1+r.IntN(pipe.Window), left)
		sizes, left = append(sizes, n), left-n
	}
	go func() {
		defer a.Close()
		at := 0
		for _, n := range sizes {
			if _, err := a.Write(sent[at : at+n]); err != nil {
				return
			}
			at += n
		}
	}()
	var got bytes.Buffer
	buf := make([]byte, 70_000)
	for {
		n, err := b.Read(buf[:1+r.IntN(len(buf))])
		got.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got.Bytes(), sent) {
		t.Fatalf("got %d bytes that differ from the %d sent", got.Len(), len(sent))
	}
}

func TestConnectionsLeaveNoGoroutinesBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 1000 {
		a, b := pipe.New(addr, addr)
		a.SetDeadline(time.Now().Add(time.Hour))
		b.SetDeadline(time.Now().Add(time.Hour))
		a.Close()
		b.Close()
	}
	// The runtime may be running some of its own for a moment.
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines more", runtime.NumGoroutine()-before)
		}
	}
}

func TestAddressesAreTCPAddresses(t *testing.T) {
	l := pipe.Listen(addr)
	go l.Accept()
	c, err := l.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, ok := c.RemoteAddr().(*net.TCPAddr); !ok || got.Port != 9042 {
		t.Fatalf("remote address %v is a %T; gocql takes a *net.TCPAddr for granted", c.RemoteAddr(), c.RemoteAddr())
	}
}

func TestAListenerEndsWithErrClosed(t *testing.T) {
	l := pipe.Listen(addr)
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	l.Close()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("Accept() = %v, want net.ErrClosed", err)
	}
	if _, err := l.DialContext(context.Background(), "tcp", "anywhere:1"); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("DialContext() = %v, want net.ErrClosed", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := pipe.Listen(addr).Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Dial() = %v, want context.Canceled", err)
	}
}
