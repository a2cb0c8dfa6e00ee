package buildservice_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/internal/shop"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/client"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

func Example() {
	dir, err := os.MkdirTemp("", "service-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	work, err := shop.Open(dir, "") // a registry, a repository and a catalog
	if err != nil {
		fmt.Println(err)
		return
	}
	defer work.Close()
	commit, err := work.Define("app")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	log, err := audit.Open(filepath.Join(dir, "audit"), audit.Options{Name: "build-service"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()

	token, hash := callers.NewToken()
	service, err := buildservice.New(ctx, buildservice.Options{
		Dir: filepath.Join(dir, "state"), Audit: log,
		Callers: callers.Static{Tokens: map[string]string{"pay-ci": hash}},
		Projects: []buildservice.Project{{
			Name: "pay", Repository: work.Repository, Publish: work.Server.Ref("pay/{directory}"),
			Grants: []callers.Grant{{Token: "pay-ci", Rights: []callers.Right{callers.Build}}},
		}},
		Delivery: func(context.Context, string) (pipeline.Delivery, error) { return work.Delivery(), nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	server := httptest.NewServer(service.Handler())

	c := client.New(server.URL, client.Options{Token: client.StaticToken(token)})
	build, err := c.Request(ctx, api.Request{Repository: work.Repository, Commit: commit, Directory: "app"}, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	end, err := c.Follow(ctx, build.ID, 0, func(api.Line) error { return nil })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(end.State)

	server.Close()
	stop() // builds under way are finished first
	fmt.Println(<-done, service.Close())
	// Output:
	// succeeded
	// <nil> <nil>
}
