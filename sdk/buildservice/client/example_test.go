package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/client"
)

func Example() {
	service := httptest.NewServer(http.HandlerFunc(answer)) // in real life https://builds.example
	defer service.Close()
	ctx := context.Background()

	c := client.New(service.URL, client.Options{Token: client.StaticToken("plimsoll_...")})
	build, err := c.Request(ctx, api.Request{
		Repository: "https://git.example/team/pay.git", Commit: "8f3c1e0d5b7a49c2e6f0a1b2c3d4e5f60718293a",
	}, client.NewKey())
	if err != nil {
		fmt.Println(err)
		return
	}
	end, err := c.Follow(ctx, build.ID, 0, func(line api.Line) error {
		fmt.Println(line.Seq, line.Stage, line.Text)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(end.State, end.Reference)
	// Output:
	// 1 build [1/2] COPY . /
	// 2 publish done in 12ms
	// succeeded registry.example/pay@sha256:4f53
}

// answer stands for the service.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id": "019c", "state": "queued"}`)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Header.Get("Last-Event-ID") == "" { // the connection breaks after the first line, and the client makes another
		fmt.Fprint(w, "id: 1\nevent: line\ndata: {\"seq\": 1, \"stage\": \"build\", \"text\": \"[1/2] COPY . /\"}\n\n")
		return
	}
	fmt.Fprint(w, "id: 2\nevent: line\ndata: {\"seq\": 2, \"stage\": \"publish\", \"text\": \"done in 12ms\"}\n\n")
	fmt.Fprint(w, "event: end\ndata: {\"state\": \"succeeded\", \"reference\": \"registry.example/pay@sha256:4f53\"}\n\n")
}
