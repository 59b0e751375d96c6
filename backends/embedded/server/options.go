package server

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Personality is which server's manners are kept where they differ on the wire.
type Personality string

// The personalities.
const (
	Cassandra Personality = "cassandra"
	YCQL      Personality = "ycql"
)

// Authenticator checks a user's password. It is called concurrently.
type Authenticator interface {
	// Authenticate returns nil if the password is the user's, else an error that is
	// logged; the client hears no more than that its credentials are wrong.
	Authenticate(ctx context.Context, user, password string) error
}

// Options configure a [Server]. Zero fields mean the default.
type Options struct {
	Personality   Personality   // required
	Authenticator Authenticator // nil: anybody may connect
	Logger        *slog.Logger  // default: discard

	MaxConnections int // open at a time, those above are closed at once; default 12,000
	MaxStreams     int // requests of one connection that run at a time; default 1024; above it the connection is not read from
	MaxFrame       int // bytes of one request; default 64 MiB
	MaxRequestSum  int // bytes of all requests that run or are being read; default 256 MiB; above it: OVERLOADED
	PreparedCache  int // bytes of prepared statements; default 64 MiB

	// A client that does not read is not read from once HighWater bytes of answers
	// wait for it (default 1 MiB), and cut off once MaxUnread do (default 64 MiB).
	// When MaxUnreadSum bytes wait for all clients together (default 256 MiB), every
	// one that still has earlier answers waiting is cut off with its next.
	HighWater    int
	MaxUnread    int
	MaxUnreadSum int

	StallTimeout     time.Duration // a write, or the rest of a frame, makes no progress; default 30 s
	HandshakeTimeout time.Duration // TLS, and login where there is an Authenticator; default 10 s
}

func (o Options) withDefaults() (Options, error) {
	if o.Personality != Cassandra && o.Personality != YCQL {
		return o, errors.New("server options: Personality must be cassandra or ycql")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		field *int
		value int
	}{
		{&o.MaxConnections, 12_000},
		{&o.MaxStreams, 1024},
		{&o.MaxFrame, 64 << 20},
		{&o.MaxRequestSum, 256 << 20},
		{&o.PreparedCache, 64 << 20},
		{&o.HighWater, 1 << 20},
		{&o.MaxUnread, 64 << 20},
		{&o.MaxUnreadSum, 256 << 20},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
		if *d.field < 0 {
			return o, errors.New("server options: limits must not be negative")
		}
	}
	if o.StallTimeout == 0 {
		o.StallTimeout = 30 * time.Second
	}
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	return o, nil
}
