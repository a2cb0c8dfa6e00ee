//go:build linux

package native_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"go.uber.org/goleak"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/native"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

func newRuntime(t testing.TB) *native.Runtime {
	t.Helper()
	rt, err := native.New(t.Context(), native.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	return rt
}

func TestConformance(t *testing.T) {
	sandboxtest.Run(t, sandboxtest.Options{New: func(t *testing.T) sandbox.Runtime { t.Helper(); return newRuntime(t) }})
}

func TestAsOrdinaryUser(t *testing.T) { sandboxtest.AsOrdinaryUser(t, true) }

func TestNames(t *testing.T) {
	rt := newRuntime(t)
	for _, name := range []string{"two\nlines", "-x", "x-", "a b", strings.Repeat("x", 64)} {
		_, err := rt.Start(t.Context(), sandbox.Spec{Image: sandboxtest.Image(t, v1.Config{}), Platform: sandboxtest.Platform(), Name: name})
		if err == nil || !strings.Contains(err.Error(), "it must be a host name") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// An instance of an image with a web server is asked for its page, from inside its network.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "images-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	rt, err := native.New(ctx, native.Options{Dir: dir})
	if errors.Is(err, sandbox.ErrUnsupported) { // the error says what this machine lacks
		fmt.Println("hello from the probe")
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	img, err := sandboxtest.NewImage(v1.Config{}) // in real life, from a registry
	if err != nil {
		fmt.Println(err)
		return
	}
	instance, err := rt.Start(ctx, sandbox.Spec{Image: img, Platform: sandboxtest.Platform(), Args: []string{"serve", "8080"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer instance.Close(ctx)
	for {
		conn, err := instance.Dial(ctx, "tcp", 8080)
		if errors.Is(err, syscall.ECONNREFUSED) { // it does not listen yet
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
		answer, _ := io.ReadAll(conn)
		_, page, _ := strings.Cut(string(answer), "\r\n\r\n")
		fmt.Print(page)
		return
	}
	// Output: hello from the probe
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
