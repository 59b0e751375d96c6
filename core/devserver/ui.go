package devserver

import (
	"context"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
	"go.uber.org/fx"
)

// uiStartLimit bounds how long the UI may take to listen. It takes an instant, unless
// the machine stands still.
const uiStartLimit = time.Minute

// serveUI serves Temporal's web UI at ip:port while the application runs. It is
// part of the binary and asks nobody but the frontend for anything.
func serveUI(lc fx.Lifecycle, ip string, port int, frontend string) {
	host := ip
	if hostPort(ip, 0) != ip+":0" {
		host = "[" + ip + "]" // it is put before a colon as it is
	}
	ui := uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host: host, Port: port, TemporalGRPCAddress: frontend, EnableUI: true,
		// Browsers send the cookie over plain HTTP only if it is not marked secure.
		CORS:     uiconfig.CORS{CookieInsecure: true},
		HideLogs: true, DisableNewsFetch: true,
	}))
	lc.Append(fx.Hook{
		OnStart: func(ctx context.Context) error {
			// It ends the process if it cannot listen; the port was free a moment ago.
			go ui.Start() //nolint:errcheck // it returns nil, after Stop
			ctx, cancel := context.WithTimeout(ctx, uiStartLimit)
			defer cancel()
			return awaitListener(ctx, hostPort(reachable(ip), port))
		},
		OnStop: func(context.Context) error { ui.Stop(); return nil },
	})
}
