package embedded_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
)

// An engine is started once and used for many builds. runc runs the steps where it is installed; without it, Plimsoll's
// own executor does.
func ExampleStart() { //nolint:testableexamples // needs root or user namespaces
	ctx := context.Background()
	runc, _ := exec.LookPath("runc")
	builder, err := embedded.Start(ctx, embedded.Options{State: filepath.Join(os.TempDir(), "engine"), Runc: runc})
	if err != nil {
		fmt.Println(err) // says what to do, if containers can't be run here
		return
	}
	defer builder.Close()

	result, err := builder.Build(ctx, build.Request{
		Dockerfile: []byte("FROM scratch\nCOPY . /\n"),
		Context:    os.DirFS("service"),
		Layout:     "layout",
	})
	if err != nil {
		fmt.Println(err) // begins with Dockerfile:2:1
		return
	}
	fmt.Println(result.Digest, result.Home.Executor)
}
