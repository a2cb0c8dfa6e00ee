package testenv

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/distribution"
)

// DockerRegistry starts Debian's docker-registry (distribution 2.8) on loopback and returns its address. It has tokens
// and basic authentication but no referrers API, like many registries in use. More is appended to its configuration (YAML);
// "" for none. It ends with the test.
func DockerRegistry(t testing.TB, more string) string {
	t.Helper()
	return serve(t, distribution.Debian, more)
}

// Distribution3 is the same with version 3 of it, the program "registry" in the PATH.
func Distribution3(t testing.TB, more string) string {
	t.Helper()
	return serve(t, distribution.Version3, more)
}

func serve(t testing.TB, program, more string) string {
	t.Helper()
	Needs(t, program, try(program, "--version"))
	server, err := distribution.Start(t.Context(), program, t.TempDir(), more)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server.Host
}
