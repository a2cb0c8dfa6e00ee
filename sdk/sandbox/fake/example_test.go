package fake_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/fake"
)

func Example() {
	ctx := context.Background()
	rt := &fake.Runtime{Main: func(ctx context.Context, p *fake.Process) int {
		l, err := p.Listen(8080)
		if err != nil {
			return 1
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "hello, %s", p.Getenv("NAME"))
		})}
		go srv.Serve(l)
		<-ctx.Done()
		srv.Close()
		return 0
	}}
	instance, err := rt.Start(ctx, sandbox.Spec{Image: empty.Image, Platform: "linux/amd64", Env: []string{"NAME=QA"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer instance.Close(ctx)

	conn, err := instance.Dial(ctx, "tcp", 8080)
	for err != nil { // it may not serve yet
		conn, err = instance.Dial(ctx, "tcp", 8080)
	}
	fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	fmt.Println(string(answer[len(answer)-9:]))
	// Output: hello, QA
}
