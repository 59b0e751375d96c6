package server

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// passwordAuthenticator is the class that AUTHENTICATE names; drivers look for it
// to know that they are to send SASL PLAIN.
const passwordAuthenticator = "org.apache.cassandra.auth.PasswordAuthenticator"

// control answers what is not a statement, on the reading goroutine. A non-nil
// error ends the connection.
func (c *conn) control(r *request) error {
	if r.h.Op == wire.OpOptions {
		r.respond(wire.OpSupported, nil, func(b []byte) []byte { return wire.AppendSupported(b, c.supported()) })
		return nil
	}
	switch c.stage {
	case stageNew:
		if r.h.Op != wire.OpStartup {
			return c.unexpected(r, "STARTUP or OPTIONS")
		}
		return c.startup(r)
	case stageLogin:
		if r.h.Op != wire.OpAuthResponse {
			return c.unexpected(r, "AUTH_RESPONSE")
		}
		return c.login(r)
	case stageReady:
	}
	switch r.h.Op {
	case wire.OpRegister:
		return c.register(r)
	case wire.OpStartup:
		return c.unexpected(r, "a request, the connection has been started already")
	case wire.OpAuthResponse:
		return c.unexpected(r, "a request, no authentication is under way")
	default:
		return r.refuse(wire.Errorf(wire.CodeProtocolError, "Unknown or unexpected request: %s", r.h.Op))
	}
}

func (c *conn) unexpected(r *request, want string) error {
	return r.refuse(wire.Errorf(wire.CodeProtocolError, "Unexpected message %s, expecting %s", r.h.Op, want))
}

func (c *conn) supported() map[string][]string {
	m := map[string][]string{"COMPRESSION": wire.Compressions}
	if c.server.opts.Personality == YCQL {
		m["CQL_VERSION"] = []string{"3.0.0", "3.4.2"} // ycql.md 3.1
		return m
	}
	m["CQL_VERSION"] = []string{"3.4.7"}
	m["PROTOCOL_VERSIONS"] = []string{"3/v3", "4/v4"}
	return m
}

func (c *conn) startup(r *request) error {
	options, err := wire.DecodeStartup(r.body)
	if err != nil {
		return r.refuse(err)
	}
	if _, ok := options["CQL_VERSION"]; !ok && c.server.opts.Personality == Cassandra {
		return r.refuse(wire.Errorf(wire.CodeProtocolError, "Missing value CQL_VERSION in STARTUP message"))
	}
	var compressor wire.Compressor
	if name := options["COMPRESSION"]; name != "" {
		var ok bool
		if compressor, ok = wire.CompressorFor(name); !ok {
			return r.refuse(c.unknownCompression(name))
		}
	}
	c.mu.Lock()
	c.driver = strings.TrimSpace(options["DRIVER_NAME"] + " " + options["DRIVER_VERSION"])
	c.mu.Unlock()
	// The answer to STARTUP is not compressed; what comes after it may be.
	if c.server.opts.Authenticator != nil {
		r.respond(wire.OpAuthenticate, nil, func(b []byte) []byte { return wire.AppendAuthenticate(b, passwordAuthenticator) })
		c.stage = stageLogin
	} else {
		r.respond(wire.OpReady, nil, nil)
		c.stage = stageReady
	}
	c.compressor = compressor
	return nil
}

func (c *conn) unknownCompression(name string) error {
	if c.server.opts.Personality == YCQL {
		return wire.Errorf(wire.CodeProtocolError, "Unsupported compression scheme %s", name)
	}
	return wire.Errorf(wire.CodeProtocolError, "Unknown compression algorithm: %s", name)
}

// login checks a SASL PLAIN token: authorization id, NUL, user, NUL, password
// (RFC 4616). A client may try again on the same connection.
func (c *conn) login(r *request) error {
	token, err := wire.DecodeAuthResponse(r.body)
	if err != nil {
		return r.refuse(err)
	}
	parts := bytes.Split(token, []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 {
		c.server.stats.failedLogins.Add(1)
		r.fail(wire.Errorf(wire.CodeBadCredentials, "Authentication ID must not be null"))
		return nil
	}
	user := string(parts[1])
	if err := c.server.opts.Authenticator.Authenticate(c.ctx, user, string(parts[2])); err != nil {
		c.server.stats.failedLogins.Add(1)
		c.server.opts.Logger.Warn("login failed", "user", user, "remote", c.nc.RemoteAddr(), "error", err)
		r.fail(wire.Errorf(wire.CodeBadCredentials, "%s", c.badLogin(user)))
		return nil
	}
	if c.in.loginTimer != nil && !c.in.loginTimer.Stop() {
		return errors.New("no login in time")
	}
	c.mu.Lock()
	c.user = user
	c.mu.Unlock()
	c.stage = stageReady
	r.respond(wire.OpAuthSuccess, nil, func(b []byte) []byte { return wire.AppendAuthToken(b, nil) })
	return nil
}

func (c *conn) badLogin(user string) string {
	if c.server.opts.Personality == YCQL {
		return fmt.Sprintf("Provided username '%s' and/or password are incorrect", user)
	}
	return fmt.Sprintf("Provided username %s and/or password are incorrect", user)
}

func (c *conn) register(r *request) error {
	types, err := wire.DecodeRegister(r.body)
	if err != nil {
		return r.refuse(err)
	}
	for _, t := range types {
		switch t {
		case wire.EventTopologyChange, wire.EventStatusChange: // one node: they never happen
		case wire.EventSchemaChange:
		default:
			r.fail(wire.Errorf(wire.CodeProtocolError, "Invalid value '%s' for Event.Type", t))
			return nil
		}
	}
	// Before the answer, as Cassandra does it (RegisterMessage.execute): from then on
	// the client relies on being told.
	if slices.Contains(types, wire.EventSchemaChange) {
		c.schemaEvents.Store(true)
	}
	r.respond(wire.OpReady, nil, nil)
	return nil
}
