package blackbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/internal/service"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/internal/testimage"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/fake"
)

// program builds the service once for all tests.
var program = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "plimsoll-service-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "service")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", name, "./internal/service/main")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(name)
})

var (
	imageOnce sync.Once
	image     v1.Image
)

// serviceImage is the image that the examples of the steps are about.
func serviceImage(t testing.TB) v1.Image {
	t.Helper()
	imageOnce.Do(func() { image = makeServiceImage(t) })
	return image
}

func makeServiceImage(t testing.TB) v1.Image {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	img := testimage.New(t, v1.Config{
		User: "65532:65532", Entrypoint: []string{"/app/service"}, Cmd: []string{"serve"}, WorkingDir: "/app",
		Env:          []string{"PATH=/app:/usr/bin", "LANG=C.UTF-8"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "5353/udp": {}},
		Volumes:      map[string]struct{}{"/data": {}},
		Healthcheck:  &v1.HealthConfig{Test: []string{"CMD", "/app/service", "health"}},
		Labels:       map[string]string{"org.opencontainers.image.title": "service"},
	}, []string{
		"755 0:0 app/service=" + string(binary), `app/config.json={"log":{"level":"info"}}`, "755 0:0 +2000 app/ping=x",
		"etc/motd=Welcome aboard.\nMind the gap.\n", "etc/empty=",
		"etc/passwd=root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
		"etc/group=root:x:0:\nshadow:x:42:\nnogroup:x:65534:\n", "640 0:42 etc/shadow=root:*:19000::::::\n",
		"4755 0:0 bin/su=x", "usr/bin/service->/app/service", "750 65532:65532 data/", "1777 0:0 tmp/", "run/", "var/log/",
		"usr/lib/os-release=ID=debian\nVERSION_ID=\"12\"\n", "etc/os-release->../usr/lib/os-release",
		"var/lib/dpkg/status.d/tzdata=Package: tzdata\nVersion: 2025b-0+deb12u1\n",
	})
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.Created = v1.Time{Time: time.Now().AddDate(0, 0, -1)}
	config.History = []v1.History{{CreatedBy: "COPY service /app/service"}}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return mutate.Annotations(img, map[string]string{"org.opencontainers.image.base.name": "registry.example/base:1"}).(v1.Image)
}

// serviceRuntime runs the service in this process.
func serviceRuntime() *fake.Runtime {
	run := func(ctx context.Context, p *fake.Process) int {
		if len(p.Args) == 0 || p.Args[0] != "/app/service" {
			return 127
		}
		return service.Main(ctx, service.Process{
			Args: p.Args, Getenv: p.Getenv, User: p.User, Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr,
			Listen: p.Listen, ListenPacket: p.ListenPacket, Signals: p.Signals, WriteFile: p.WriteFile,
		})
	}
	return &fake.Runtime{Main: run, Commands: map[string]fake.Program{"/app/service": run}}
}

// others finds the images that features name beside the one under test.
func others(t testing.TB) func(context.Context, string, string) (v1.Image, error) {
	t.Helper()
	service, none := serviceImage(t), testimage.New(t, v1.Config{}, []string{"etc/"})
	return func(_ context.Context, reference, _ string) (v1.Image, error) {
		switch reference {
		case "registry.example/database:1":
			return service, nil
		case "registry.example/empty:1":
			return none, nil
		}
		return nil, errors.New("no such image")
	}
}

// suite is a suite over one feature, against the service in the fake sandbox.
func suite(t testing.TB, feature string) blackbox.Suite {
	t.Helper()
	return blackbox.Suite{
		Features: fstest.MapFS{"service.feature": {Data: []byte(feature)}}, Image: serviceImage(t),
		Reference: "registry.example/service:1", Runtime: serviceRuntime(),
		Options: blackbox.Options{Images: others(t), Params: map[string]string{
			"image": "registry.example/service:1", "database": "registry.example/database:1", "empty": "registry.example/empty:1",
		}},
	}
}

// run runs a suite that can be run.
func run(t testing.TB, s blackbox.Suite) *blackbox.Verdict {
	t.Helper()
	v, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// explain prints a verdict that is not what a test expects.
func explain(v *blackbox.Verdict) string {
	var b bytes.Buffer
	for _, f := range v.Findings() {
		fmt.Fprintln(&b, f)
	}
	return strings.TrimSpace(b.String())
}
