package build_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// A failed step says where, what and how it ended.
func ExampleError() {
	var builder build.Builder = build.Func(func(context.Context, build.Request) (*build.Result, error) {
		return nil, &build.Error{
			Place: finding.Place{File: "Dockerfile", Start: finding.Position{Line: 4, Column: 1}},
			Step:  "[build 3/3] RUN go build ./...",
			Log:   []string{"main.go:7:2: undefined: greet"},
			Err:   errors.New("exit code: 1"),
		}
	})
	_, err := builder.Build(context.Background(), build.Request{})
	fmt.Println(err)

	if failed, ok := errors.AsType[*build.Error](err); ok {
		fmt.Println("line", failed.Place.Start.Line)
	}
	// Output:
	// Dockerfile:4:1: [build 3/3] RUN go build ./...: exit code: 1
	//     main.go:7:2: undefined: greet
	// line 4
}
