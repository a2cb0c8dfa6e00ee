package runner_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/internal/harbour"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

func example(do func(ctx context.Context, client *registry.Client, index lineage.Store, question storm.Question) error) error {
	ctx := context.Background()
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		return err
	}
	defer server.Close()
	client := registry.New(registry.Options{})
	defer client.Close()
	h, err := harbour.New(ctx, server.Host, client, lineage.NewMemory())
	if err != nil {
		return err
	}
	for _, ship := range []harbour.Ship{{Name: "team/app", Owner: "team"}, {Name: "pay/api", Owner: "pay"}} {
		if _, err := h.Build(ctx, ship); err != nil {
			return err
		}
	}
	return do(ctx, client, h.Lineage, h.Question("BAN-7"))
}

// Leave a banned base: look at what would be done, and do it.
func Example() {
	dir, err := os.MkdirTemp("", "storm-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	policy := func(catalog.Project, string) rebuild.Policy { return rebuild.Policy{Runs: true} }
	err = example(func(ctx context.Context, client *registry.Client, index lineage.Store, question storm.Question) error {
		r, err := runner.Open(ctx, runner.Options{Database: filepath.Join(dir, "storm.db"), Registry: client, Lineage: index})
		if err != nil {
			return err
		}
		defer r.Close()
		planner := &storm.Planner{Lineage: index, Mover: r.Mover(), Past: r, Policy: policy}
		preview, err := planner.Preview(ctx, question) // of storm.FromBan(catalog, "BAN-7", client, now)
		if err != nil {
			return err
		}
		for _, item := range preview.Items {
			fmt.Println(item.Owner, item.Verb)
		}
		if _, err := r.Start(ctx, preview); err != nil {
			return err
		}
		running, stop := context.WithCancel(ctx)
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- r.Run(running) }()
		status, err := r.Wait(ctx, "BAN-7", nil)
		if err != nil {
			return err
		}
		fmt.Println(status.State, status.Waves)
		stop()
		return <-ended
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// pay rebase
	// team rebase
	// done [{1 2 0 2 0 0}]
}
