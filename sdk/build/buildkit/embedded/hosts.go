//go:build linux

package embedded

import (
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/moby/buildkit/util/resolver"
	"github.com/moby/buildkit/util/resolver/config"
)

// hosts says how registries are reached: https, but plain http on loopback and where insecure allows it.
func hosts(insecure func(host string) bool) docker.RegistryHosts {
	standard := resolver.NewRegistryConfig(nil)
	return func(host string) ([]docker.RegistryHost, error) {
		if insecure == nil || !insecure(host) {
			return standard(host)
		}
		plain := true
		return resolver.NewRegistryConfig(map[string]config.RegistryConfig{host: {PlainHTTP: &plain}})(host)
	}
}
