package registry_test

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// What one reference costs on a warm connection to a registry on loopback: one request for its digest, three for the
// config of an index.
func BenchmarkResolve(b *testing.B) {
	srv := start(b, registrytest.Options{})
	seed(b, srv, "base/demo:1", index(b, "linux/amd64", "linux/arm64"))
	c := fast(b, registry.Options{})
	for b.Loop() {
		if _, err := c.Resolve(b.Context(), srv.Ref("base/demo:1")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConfig(b *testing.B) {
	srv := start(b, registrytest.Options{})
	seed(b, srv, "base/demo:1", index(b, "linux/amd64", "linux/arm64"))
	c := fast(b, registry.Options{})
	for b.Loop() {
		if _, err := c.Config(b.Context(), srv.Ref("base/demo:1"), "linux/arm64"); err != nil {
			b.Fatal(err)
		}
	}
}
