// Command service is the greeter that the quickstart delivers: a small HTTP service as teams write them, with a health
// page, a log line for each request and a clean end on SIGTERM.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, ":"+cmp.Or(os.Getenv("PORT"), "8080"), cmp.Or(os.Getenv("GREETING"), "Ahoy")); err != nil {
		slog.Error("the greeter ends", "error", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// serve answers on the address until ctx ends, then finishes what is under way within five seconds.
func serve(ctx context.Context, address, greeting string) error {
	server := &http.Server{Addr: address, Handler: handler(greeting), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	slog.Info("the greeter listens", "address", address)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	slog.Info("the greeter is done")
	return nil
}

func handler(greeting string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /greet/{name}", func(w http.ResponseWriter, r *http.Request) {
		slog.Info("greeting", "name", r.PathValue("name"))
		answer(w, map[string]string{"message": greeting + ", " + r.PathValue("name") + "!"})
	})
	return mux
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		slog.Error("an answer got lost", "error", err)
	}
}
