package docker

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/docker/cli/cli/connhelper"
	"github.com/moby/moby/client"
)

// reach returns a client of the daemon at an address of every form that DOCKER_HOST has.
func reach(options Options) (*client.Client, error) {
	helper, err := connhelper.GetConnectionHelper(options.Host)
	if err != nil {
		return nil, fmt.Errorf("the daemon's address %s: %w", options.Host, err)
	}
	var opts []client.Opt
	switch {
	case helper != nil:
		opts = append(opts, elsewhere(options), client.WithHost(helper.Host), client.WithDialContext(helper.Dialer), client.WithScheme("http"))
	case options.TLS != nil:
		opts = append(opts, elsewhere(options), client.WithHost(options.Host), client.WithScheme("https"))
	default:
		opts = append(opts, client.WithHost(options.Host))
	}
	c, err := client.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("the daemon's address %s: %w", options.Host, err)
	}
	return c, nil
}

// elsewhere keeps connections: each costs a handshake, or a process of ssh and one of docker at the other end.
func elsewhere(options Options) client.Opt {
	const idle = 16
	return client.WithHTTPClient(&http.Client{CheckRedirect: client.CheckRedirect, Transport: &http.Transport{
		TLSClientConfig: options.TLS, MaxIdleConns: idle, MaxIdleConnsPerHost: idle, IdleConnTimeout: 30 * time.Second,
		// Daemons speak HTTP/1.1. With HTTP/2 the transport would get a TLS configuration, and the client not use the dialer.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}})
}
