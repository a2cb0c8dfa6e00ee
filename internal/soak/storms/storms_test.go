package storms_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/soak/storms"
)

const images = 32

// TestMain is the worker too.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "worker" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err := storms.Worker(ctx, os.Args[2], os.Args[3], images); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A dozen kills at random moments; "go run ./internal/soak -storms -kills 100" does more, with a bad line.
func TestKilledStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	err := storms.Run(t.Context(), storms.Options{
		Dir: t.TempDir(), Kills: 12, Images: images, Faults: 36, Out: t.Output(),
		Self: func(ctx context.Context, dir, host string) *exec.Cmd {
			return exec.CommandContext(ctx, os.Args[0], "worker", dir, host)
		},
	})
	if err != nil {
		t.Error(err)
	}
}
