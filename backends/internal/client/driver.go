package client

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// Logger returns the logger of env, or one that drops everything.
func Logger(env backend.Env) *slog.Logger {
	if env.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return env.Logger
}

// DriverLog gives a driver's messages, meant for its developers, to the debug log.
type DriverLog struct{ Log *slog.Logger }

func (l DriverLog) write(s string) { l.Log.Debug("driver: " + strings.TrimSpace(s)) }

// Print is part of the drivers' StdLogger, as are the next two.
func (l DriverLog) Print(v ...any) { l.write(fmt.Sprint(v...)) }

// Printf is part of the drivers' StdLogger.
func (l DriverLog) Printf(format string, v ...any) { l.write(fmt.Sprintf(format, v...)) }

// Println is part of the drivers' StdLogger.
func (l DriverLog) Println(v ...any) { l.write(fmt.Sprintln(v...)) }

// Translate returns what the address translator's options ask for; nil without
// one. It sends every connection to one host name, as stock's
// fixed-address-translator does, but asks for its address each time.
func (o *Options) Translate(log *slog.Logger) func(net.IP, int) (net.IP, int) {
	if o.AddressTranslator.Translator != fixedTranslator {
		return nil
	}
	name := o.AddressTranslator.Options[advertisedHostname]
	return func(addr net.IP, port int) (net.IP, int) {
		ips, err := net.DefaultResolver.LookupIP(context.Background(), "ip", name)
		if err != nil || len(ips) == 0 {
			log.Warn("advertised-hostname has no address, using the database's own", "name", name, "error", err)
			return addr, port
		}
		for _, ip := range ips {
			if v4 := ip.To4(); v4 != nil {
				return v4, port
			}
		}
		return ips[0], port
	}
}

// OtherHostHelps tells whether an idempotent statement that failed so is worth
// another host; elsewhere another host would say the same.
func OtherHostHelps(e *cql.Error) bool {
	if e.Reach != cql.Replied {
		return true
	}
	switch e.Code {
	case cql.CodeUnavailable, cql.CodeOverloaded, cql.CodeBootstrapping, cql.CodeReadTimeout,
		cql.CodeReadFailure, cql.CodeWriteTimeout, cql.CodeServer:
		return true
	default:
		return false
	}
}

// Parallel runs n calls side by side and returns, after all have ended, the
// first error in their order.
func Parallel(n int, call func(i int) error) error {
	failures := make([]error, n)
	done := make(chan struct{}, n)
	for i := range n {
		go func() {
			failures[i] = call(i)
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}
