package buildkit_test

import (
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit"
)

func TestNobodyAnswers(t *testing.T) {
	gone := "unix://" + t.TempDir() + "/gone.sock"
	tests := []struct {
		name string
		dial func() (*buildkit.Builder, error)
		want []string
	}{
		{"buildkitd", func() (*buildkit.Builder, error) {
			return buildkit.Dial(t.Context(), gone, buildkit.Options{})
		}, []string{"buildkitd at " + gone + ": dial unix", "no such file"}},
		{"buildkitd over tcp", func() (*buildkit.Builder, error) {
			return buildkit.Dial(t.Context(), "tcp://127.0.0.1:9", buildkit.Options{})
		}, []string{"buildkitd at tcp://127.0.0.1:9", "refused"}},
		{"no address", func() (*buildkit.Builder, error) {
			return buildkit.Dial(t.Context(), "builder:1234", buildkit.Options{})
		}, []string{`"builder:1234"`, "tcp://"}},
		{"tls without files", func() (*buildkit.Builder, error) {
			return buildkit.Dial(t.Context(), "tcp://127.0.0.1:9", buildkit.Options{TLS: &buildkit.TLS{CA: "/gone/ca.pem"}})
		}, []string{"/gone/ca.pem"}},
		{"docker", func() (*buildkit.Builder, error) {
			return buildkit.Docker(t.Context(), gone, buildkit.Options{})
		}, []string{"docker at " + gone}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := tt.dial()
			if err == nil {
				t.Fatal("no error", b.Close())
			}
			t.Log(err)
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}
