package devserver

import (
	"fmt"
	"io"
	"net"
	"strings"

	"go.temporal.io/server/common/headers"
)

// place is one line of what is printed when the server is ready.
type place struct{ what, where string }

// banner prints one block with everything that a person looks for.
func banner(w io.Writer, places []place) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Temporal %s is ready\n\n", headers.ServerVersion)
	for _, p := range places {
		fmt.Fprintf(&b, "  %-10s %s\n", p.what+":", p.where)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// friendly writes an address as one types it.
func friendly(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() && (host == "127.0.0.1" || host == "::1") {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
