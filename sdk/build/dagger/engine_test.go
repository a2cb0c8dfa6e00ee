package dagger_test

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/dagger"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/conformance"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// connect reaches the engine that the environment names.
func connect(t *testing.T) *dagger.Builder {
	t.Helper()
	engine, cli := testenv.NeedsDagger(t)
	client := registry.New(registry.Options{})
	t.Cleanup(client.Close)
	b, err := dagger.Connect(t.Context(), dagger.Options{Registry: client, Engine: engine, CLI: cli, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestEngine runs the suite of all builders against a real engine.
func TestEngine(t *testing.T) {
	b := connect(t)
	t.Logf("%+v", b.Home())
	conformance.Test(t, b, conformance.Lacks{Steps: true, Triggers: true, Platforms: false})
}
