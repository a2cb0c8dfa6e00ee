package sandbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/fake"
)

func ExampleExecer() {
	rt := &fake.Runtime{
		Main:     func(ctx context.Context, _ *fake.Process) int { <-ctx.Done(); return 0 },
		Commands: map[string]fake.Program{"health": func(context.Context, *fake.Process) int { return 0 }},
	}
	ctx := context.Background()
	instance, err := rt.Start(ctx, sandbox.Spec{Image: empty.Image, Platform: "linux/amd64"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer instance.Close(ctx)
	// Not every sandbox can do everything: what it cannot is no method of its instances.
	execer, ok := instance.(sandbox.Execer)
	if !ok {
		fmt.Println("this sandbox runs no commands")
		return
	}
	output, err := execer.Exec(ctx, sandbox.Command{Args: []string{"health"}})
	fmt.Println(output.Exit.Code, err)
	// Output: 0 <nil>
}

func TestLimits(t *testing.T) {
	defaults := sandbox.Limits{Memory: 512 << 20, PIDs: 256, CPUs: 2, Output: 4 << 20, Life: 10 * time.Minute}
	tests := []struct {
		name      string
		got, want sandbox.Limits
	}{
		{"none given", sandbox.Limits{}, defaults},
		{"all given", sandbox.Limits{Memory: 1, PIDs: 2, CPUs: 3, Output: 4, Life: 5}, sandbox.Limits{Memory: 1, PIDs: 2, CPUs: 3, Output: 4, Life: 5}},
		{"one given", sandbox.Limits{PIDs: 7}, sandbox.Limits{Memory: 512 << 20, PIDs: 7, CPUs: 2, Output: 4 << 20, Life: 10 * time.Minute}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.got.OrDefault()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
