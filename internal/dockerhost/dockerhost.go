// Package dockerhost reaches Docker daemons at addresses of every form that DOCKER_HOST and Docker's contexts have.
package dockerhost

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/cli/cli/connhelper"
	"github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
	"github.com/moby/moby/client"
)

// New returns a client of the daemon at an address: "unix:///var/run/docker.sock", "tcp://host:2376", or
// "ssh://user@host", for which the ssh command of this machine runs docker on the other. Nothing is sent yet. With a TLS
// configuration the daemon is spoken to by TLS.
func New(host string, secure *tls.Config) (*client.Client, error) {
	helper, err := connhelper.GetConnectionHelper(host)
	if err != nil {
		return nil, fmt.Errorf("the daemon's address %s: %w", host, err)
	}
	var opts []client.Opt
	switch {
	case helper != nil:
		opts = append(opts, elsewhere(secure), client.WithHost(helper.Host), client.WithDialContext(helper.Dialer), client.WithScheme("http"))
	case secure != nil:
		opts = append(opts, elsewhere(secure), client.WithHost(host), client.WithScheme("https"))
	default:
		opts = append(opts, client.WithHost(host))
	}
	c, err := client.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("the daemon's address %s: %w", host, err)
	}
	return c, nil
}

// elsewhere keeps connections: each costs a handshake, or a process of ssh and one of docker at the other end.
func elsewhere(secure *tls.Config) client.Opt {
	const idle = 16
	return client.WithHTTPClient(&http.Client{CheckRedirect: client.CheckRedirect, Transport: &http.Transport{
		TLSClientConfig: secure, MaxIdleConns: idle, MaxIdleConnsPerHost: idle, IdleConnTimeout: 30 * time.Second,
		// Daemons speak HTTP/1.1. With HTTP/2 the transport would get a TLS configuration, and the client not use the dialer.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}})
}

// Context returns a client of the daemon that a Docker context names, with its TLS keys. Dir is Docker's configuration
// directory; "" is that of $DOCKER_CONFIG, or .docker in the home directory.
func Context(dir, name string) (*client.Client, error) {
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		dir = cmp.Or(os.Getenv("DOCKER_CONFIG"), filepath.Join(home, ".docker"))
	}
	s := store.New(filepath.Join(dir, "contexts"), store.NewConfig(
		func() any { return &map[string]any{} },
		store.EndpointTypeGetter(docker.DockerEndpoint, func() any { return &docker.EndpointMeta{} }),
	))
	meta, err := s.GetMetadata(name)
	if err != nil {
		return nil, fmt.Errorf("docker context %s in %s: %w", name, dir, err)
	}
	endpoint, err := docker.EndpointFromContext(meta)
	if err != nil {
		return nil, fmt.Errorf("docker context %s: %w", name, err)
	}
	full, err := docker.WithTLSData(s, name, endpoint)
	if err != nil {
		return nil, fmt.Errorf("docker context %s: %w", name, err)
	}
	opts, err := full.ClientOpts()
	if err != nil {
		return nil, fmt.Errorf("docker context %s: %w", name, err)
	}
	return client.New(opts...)
}
