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

// port is a registry with two images on a base, and what the lineage knows of them.
func port(ctx context.Context) (client *registry.Client, index lineage.Store, question storm.Question, dir string, leave func(), err error) {
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		return nil, nil, question, "", nil, err
	}
	client = registry.New(registry.Options{})
	if dir, err = os.MkdirTemp("", "storm-"); err != nil {
		return nil, nil, question, "", nil, err
	}
	leave = func() {
		client.Close()
		server.Close()
		_ = os.RemoveAll(dir) // a temporary directory
	}
	h, err := harbour.New(ctx, server.Host, client, lineage.NewMemory())
	if err != nil {
		return nil, nil, question, "", nil, err
	}
	for _, ship := range []harbour.Ship{{Name: "team/app", Owner: "team"}, {Name: "pay/api", Owner: "pay"}} {
		if _, err := h.Build(ctx, ship); err != nil {
			return nil, nil, question, "", nil, err
		}
	}
	return client, h.Lineage, h.Question("BAN-7"), dir, leave, nil
}

// Leave a banned base: look at what would be done, and do it.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	client, index, question, dir, leave, err := port(ctx) // of storm.FromBan(catalog, "BAN-7", client, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer leave()
	policy := func(catalog.Project, string) rebuild.Policy { return rebuild.Policy{Runs: true} }

	// ---
	r, err := runner.Open(ctx, runner.Options{Database: filepath.Join(dir, "storm.db"), Registry: client, Lineage: index})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	planner := &storm.Planner{Lineage: index, Mover: r.Mover(), Past: r, Policy: policy}
	preview, err := planner.Preview(ctx, question) // storm.FromBan(catalog, "BAN-7", client, now); changes nothing
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, item := range preview.Items {
		fmt.Println(item.Owner, item.Verb)
	}
	if _, err := r.Start(ctx, preview); err != nil { // written down; it goes on after a crash
		fmt.Println(err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }() // until ctx ends; here or on other machines
	status, err := r.Wait(ctx, preview.Campaign, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status.State, status.Waves[0].Done)
	stop()
	fmt.Println(<-ended)
	// Output:
	// pay rebase
	// team rebase
	// done 2
	// <nil>
}
