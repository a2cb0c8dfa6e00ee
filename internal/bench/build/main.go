// Command build measures the embedded BuildKit against a buildkitd on the same machine, in one run: the same definition
// (the quickstart's service), the same bases from the same registry, the same client.
//
//	go run ./internal/bench/build -buildkitd /path/to/buildkitd
//
// It must run as root, with runc in the PATH. A buildkitd comes from a module of its own:
//
//	go mod init bench && go get github.com/moby/buildkit@v0.34.2 && go build github.com/moby/buildkit/cmd/buildkitd
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

func main() {
	buildkitd := flag.String("buildkitd", "", "path of a buildkitd to compare with; empty: none")
	rounds := flag.Int("rounds", 5, "rounds, each with new engines and empty caches")
	warm := flag.Int("warm", 10, "warm builds in each round")
	flag.Parse()
	if err := run(context.Background(), *buildkitd, *rounds, *warm); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, buildkitd string, rounds, warm int) error {
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	req, closeRegistry, err := service()
	if err != nil {
		return err
	}
	defer closeRegistry()
	engines := []*engine{
		{name: "embedded, runc", start: inProcess(runc)},
		{name: "embedded, own executor", start: inProcess("")},
	}
	if buildkitd != "" {
		engines = append(engines, &engine{name: "buildkitd, runc", start: daemon(buildkitd)})
	}
	// Engines take turns, so that what else the machine does falls on all of them.
	for round := range rounds {
		for i := range engines {
			if err := engines[(round+i)%len(engines)].measure(ctx, req, warm); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%-24s %9s %9s %9s %12s\n", "median of "+fmt.Sprint(rounds), "start", "cold", "warm", "peak memory")
	for _, e := range engines {
		fmt.Printf("%-24s %7.0fms %7.0fms %7.0fms %9d MiB\n", e.name, ms(e.starts), ms(e.cold), ms(e.warm), slices.Max(e.memory)>>20)
	}
	if last := engines[len(engines)-1]; buildkitd != "" {
		for _, e := range engines[:len(engines)-1] {
			fmt.Printf("%s / %s: cold %.2f, warm %.2f\n", e.name, last.name, ms(e.cold)/ms(last.cold), ms(e.warm)/ms(last.warm))
		}
	}
	return nil
}

// ms is the median in milliseconds.
func ms(all []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return float64(sorted[len(sorted)/2].Microseconds()) / 1000
}

// engine is something that builds, and what was measured of it.
type engine struct {
	name               string
	start              func(ctx context.Context, state string) (*running, error)
	starts, cold, warm []time.Duration
	memory             []int64
}

// running is a started engine.
type running struct {
	build.Builder

	// stop ends the engine and returns its peak memory in bytes.
	stop func() (int64, error)
}

// measure does one round.
func (e *engine) measure(ctx context.Context, req build.Request, warm int) error {
	state, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	begin := time.Now()
	engine, err := e.start(ctx, state)
	if err != nil {
		return err
	}
	e.starts = append(e.starts, time.Since(begin))
	for i := range 1 + warm {
		req.Layout = fmt.Sprintf("%s/layout-%d", state, i)
		begin := time.Now()
		if _, err := engine.Build(ctx, req); err != nil {
			return err
		}
		if took := time.Since(begin); i == 0 {
			e.cold = append(e.cold, took)
		} else {
			e.warm = append(e.warm, took)
		}
	}
	memory, err := engine.stop()
	e.memory = append(e.memory, memory)
	return err
}
