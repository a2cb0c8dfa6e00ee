package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/plimsoll-dev/plimsoll/internal/baseimage"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/outbox"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// yard is the world of one scenario.
type yard struct {
	engines

	dir     string // of this scenario, with the repository in dir/app
	server  *registrytest.Server
	client  *registry.Client
	catalog string

	// What the last delivery did.
	deliveries int
	delivered  *pipeline.Delivered
	failed     error

	// Messages to the team.
	box    *outbox.Outbox
	told   []notify.Message
	hang   chan struct{}
	pushed pushes
}

func (y *yard) open() (err error) {
	if y.dir, err = os.MkdirTemp("", "delivery-"); err != nil {
		return err
	}
	if y.server, err = registrytest.Start(registrytest.Options{}); err != nil {
		return err
	}
	y.client = registry.New(registry.Options{})
	return os.Mkdir(y.repository(), 0o755)
}

func (y *yard) close() error {
	var err error
	if y.hang != nil {
		close(y.hang)
	}
	if y.box != nil {
		err = y.box.Close()
	}
	y.client.Close()
	return errors.Join(err, y.server.Close(), os.RemoveAll(y.dir))
}

func (y *yard) repository() string { return filepath.Join(y.dir, "app") }

// at puts the registry's address and the repository into a text.
func (y *yard) at(text string) string {
	return strings.NewReplacer("HOST", y.server.Host, "PROJECT", y.repository()).Replace(text)
}

func (y *yard) git(args ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), "git", append([]string{"-C", y.repository(), "-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (y *yard) push(ctx context.Context, ref string) error {
	_, version, _ := strings.Cut(ref, ":")
	image, err := baseimage.Userland(ctx, version)
	if err != nil {
		return err
	}
	index, err := registrytest.Index(image)
	if err != nil {
		return err
	}
	_, err = y.server.Push(ctx, ref, index)
	return err
}

// deliver runs the ready-made pipeline, as a team has it.
func (y *yard) deliver(ctx context.Context, ref, publish string) error {
	cat, err := catalog.Load("catalog.yaml", []byte(y.catalog))
	if err != nil {
		return err
	}
	delivery := pipeline.Delivery{Catalog: cat, Registry: y.client, Builder: y.builder, Sandbox: y.sandbox, Rules: rules.All()}
	if y.box != nil {
		delivery.Notifier = y.box
	}
	y.deliveries++
	y.delivered, y.failed = delivery.Run(ctx, pipeline.NewRun(pipeline.Options{}), pipeline.Order{
		Repository: y.repository(), Ref: ref, Layout: filepath.Join(y.dir, fmt.Sprint("layout", y.deliveries)), Publish: publish,
	})
	return ctx.Err()
}
