//go:build linux

package embedded

import (
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/moby/buildkit/util/resolver"
	"github.com/moby/buildkit/util/resolver/config"
)

// hosts says how registries are reached: https, but plain http on loopback and for those named.
func hosts(plainHTTP []string) docker.RegistryHosts {
	plain := true
	named := make(map[string]config.RegistryConfig, len(plainHTTP))
	for _, host := range plainHTTP {
		named[host] = config.RegistryConfig{PlainHTTP: &plain}
	}
	return resolver.NewRegistryConfig(named)
}
