package cassandra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/gocql/gocql"
)

// reconnectEvery is how often the driver tries hosts that are down. Its own
// default is a minute, which a restarted database would have to wait for.
const reconnectEvery = 5 * time.Second

// clusterConfig turns options into gocql's. Host names are resolved anew each
// time, so a session that is made again finds a database that moved.
func clusterConfig(o *Options, h *hostDialer, resolve func(string) []string, log *slog.Logger) (*gocql.ClusterConfig, error) {
	var hosts []string
	for _, contact := range o.Hosts {
		host, port, err := o.address(contact)
		if err != nil {
			return nil, err
		}
		names := []string{host}
		if resolve != nil {
			if found := resolve(host); len(found) > 0 {
				names = found
			}
		}
		for _, name := range names {
			if _, _, err := net.SplitHostPort(name); err == nil {
				hosts = append(hosts, name)
				continue
			}
			hosts = append(hosts, net.JoinHostPort(name, fmt.Sprint(port)))
		}
	}
	c := gocql.NewCluster(hosts...)
	c.ProtoVersion = 4
	c.Port = o.Port
	c.NumConns = o.MaxConns
	c.ConnectTimeout = o.ConnectTimeout
	c.Timeout = o.Timeout
	c.WriteTimeout = o.WriteTimeout
	if c.WriteTimeout == 0 {
		c.WriteTimeout = o.Timeout
	}
	c.PageSize = o.PageSize
	c.WriteCoalesceWaitTime = o.WriteCoalesceWaitTime
	c.DisableInitialHostLookup = o.DisableInitialHostLookup
	c.ReconnectInterval = reconnectEvery
	// One try: gocql waits inside of CreateSession for more of them, and hosts
	// that are down are tried again every reconnectEvery anyway.
	c.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 1}
	c.HostDialer = h
	c.Logger = driverLog{log}
	var err error
	if c.Consistency, err = o.consistency(); err != nil {
		return nil, err
	}
	if c.SerialConsistency, err = o.serialConsistency(); err != nil {
		return nil, err
	}
	if o.User != "" {
		if _, err := o.password(); err != nil {
			return nil, err
		}
		c.Authenticator = authenticator{o}
	}
	switch o.HostSelection {
	case roundRobin:
		c.PoolConfig.HostSelectionPolicy = gocql.RoundRobinHostPolicy()
	case dcAware:
		c.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.DCAwareRoundRobinPolicy(o.Datacenter))
	default:
		c.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	}
	if o.Datacenter != "" && o.HostSelection != dcAware {
		c.HostFilter = gocql.DataCentreHostFilter(o.Datacenter)
	}
	if o.AddressTranslator.Translator == fixedTranslator {
		c.AddressTranslator = gocql.AddressTranslatorFunc(fixedAddress(o.AddressTranslator.Options[advertisedHostname], log))
	}
	return c, nil
}

// authenticator answers the server's challenge with the password as it is now.
type authenticator struct{ options *Options }

// Challenge implements gocql.Authenticator.
func (a authenticator) Challenge(req []byte) ([]byte, gocql.Authenticator, error) {
	password, err := a.options.password()
	if err != nil {
		return nil, nil, err
	}
	return gocql.PasswordAuthenticator{
		Username: a.options.User, Password: password, AllowedAuthenticators: a.options.AllowedAuthenticators,
	}.Challenge(req)
}

// Success implements gocql.Authenticator.
func (a authenticator) Success([]byte) error { return nil }

// fixedAddress sends every connection to one host name, as stock's
// fixed-address-translator does, but asks for its address each time.
func fixedAddress(name string, log *slog.Logger) func(net.IP, int) (net.IP, int) {
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

// driverLog gives gocql's messages, meant for its developers, to the debug log.
type driverLog struct{ log *slog.Logger }

func (l driverLog) write(s string) { l.log.Debug("gocql: " + strings.TrimSpace(s)) }

// Print implements gocql.StdLogger.
func (l driverLog) Print(v ...any) { l.write(fmt.Sprint(v...)) }

// Printf implements gocql.StdLogger.
func (l driverLog) Printf(format string, v ...any) { l.write(fmt.Sprintf(format, v...)) }

// Println implements gocql.StdLogger.
func (l driverLog) Println(v ...any) { l.write(fmt.Sprintln(v...)) }

// openLimit bounds the making of a session, whatever the timeouts and the
// number of hosts: a start with a wrong address must fail while people watch.
const openLimit = 12 * time.Second

// createSession makes a gocql session or gives up when ctx is done; gocql
// itself knows no context here, so a late session is closed when it comes.
func createSession(ctx context.Context, c *gocql.ClusterConfig) (*gocql.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	type result struct {
		s   *gocql.Session
		err error
	}
	done := make(chan result, 1)
	go func() {
		s, err := c.CreateSession()
		done <- result{s, err}
	}()
	select {
	case r := <-done:
		return r.s, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.s != nil {
				r.s.Close()
			}
		}()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("no answer within %s", openLimit)
		}
		return nil, ctx.Err()
	}
}
