package build_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// A builder is one method, so a limit, a cache or a record is a function around another builder.
func ExampleFunc() {
	broken := build.Func(func(_ context.Context, req build.Request) (*build.Result, error) {
		return nil, &build.Error{
			Place: finding.Place{File: req.Name, Start: finding.Position{Line: 7, Column: 1}},
			Step:  "[build 2/3] RUN go build",
			Log:   []string{"./main.go:3:2: undefined: greeting"},
			Err:   errors.New("exit code: 1"),
		}
	})
	slots := make(chan struct{}, 2)
	limited := build.Func(func(ctx context.Context, req build.Request) (*build.Result, error) {
		slots <- struct{}{}
		defer func() { <-slots }()
		return broken.Build(ctx, req)
	})
	_, err := limited.Build(context.Background(), build.Request{Name: "Dockerfile"})
	fmt.Println(err)
	// Output:
	// Dockerfile:7:1: [build 2/3] RUN go build: exit code: 1
	//     ./main.go:3:2: undefined: greeting
}
