package sandbox_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/fake"
)

// Every runtime takes the same Spec. The fake one runs a Go function instead of an image.
func Example() {
	ctx := context.Background()
	runtime := &fake.Runtime{Main: func(ctx context.Context, p *fake.Process) int {
		l, err := p.Listen(8080)
		if err != nil {
			return 1
		}
		server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "ahoy")
		})}
		context.AfterFunc(ctx, func() { _ = server.Close() })
		_ = server.Serve(l)
		return 0
	}}
	instance, err := runtime.Start(ctx, sandbox.Spec{Image: empty.Image, Platform: "linux/amd64"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		conn, err := instance.Dial(ctx, "tcp", 8080)
		if err == nil {
			fmt.Println("it listens")
			_ = conn.Close()
			break
		}
	}
	fmt.Println(instance.Close(ctx))
	// Output:
	// it listens
	// <nil>
}

func ExampleLimits_OrDefault() {
	fmt.Println(sandbox.Limits{Memory: 64 << 20}.OrDefault().PIDs)
	// Output: 256
}
