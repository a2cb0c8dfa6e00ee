package testenv_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
)

// verdict records what a need did to a test instead of doing it.
type verdict struct {
	testing.TB
	got string
}

func (v *verdict) Helper() {}

func (v *verdict) Skipf(format string, args ...any) {
	v.got = "skip: " + fmt.Sprintf(format, args...)
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.got = "fatal: " + fmt.Sprintf(format, args...)
}

func TestNeeds(t *testing.T) {
	tests := []struct {
		name, require, missing, want string
	}{
		{"there", "", "", ""},
		{"there and required", "warp", "", ""},
		{"missing", "", "no coil", "skip: needs warp: no coil"},
		{"missing, another one required", "docker", "no coil", "skip: needs warp: no coil"},
		{"missing, a longer name required", "warpdrive", "no coil", "skip: needs warp: no coil"},
		{"missing and required", "docker, warp", "no coil", "fatal: needs warp, and PLIMSOLL_REQUIRE lists it: no coil"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PLIMSOLL_REQUIRE", tt.require)
			v := &verdict{TB: t}
			testenv.Needs(v, "warp", tt.missing)
			if v.got != tt.want {
				t.Errorf("got %q, want %q", v.got, tt.want)
			}
		})
	}
}

func TestNeedsDockerPreparesTestcontainers(t *testing.T) {
	testenv.NeedsDocker(t)
	if os.Getenv("TESTCONTAINERS_RYUK_DISABLED") == "" {
		t.Error("TESTCONTAINERS_RYUK_DISABLED is not set")
	}
}

func TestNeedsSayWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("PLIMSOLL_REQUIRE", "")
	for name, need := range map[string]func(testing.TB){
		"runc": testenv.NeedsRunc, "userns": testenv.NeedsUserNamespaces,
	} {
		t.Run(name, func(t *testing.T) {
			v := &verdict{TB: t}
			need(v)
			if want := "skip: needs " + name + ": exec: "; len(v.got) <= len(want) || v.got[:len(want)] != want {
				t.Errorf("got %q, want it to begin with %q", v.got, want)
			}
		})
	}
}
