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
	light := flag.Bool("light", false, "build a definition like the service's that compiles nothing, to see more of the engine")
	warm := flag.Int("warm", 10, "warm builds in each round")
	flag.Parse()
	if err := run(context.Background(), *buildkitd, *rounds, *warm, *light); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, buildkitd string, rounds, warm int, light bool) error {
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	req, registry, err := service(light)
	if err != nil {
		return err
	}
	defer registry.stop()
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
			if err := engines[(round+i)%len(engines)].measure(ctx, req, warm, registry.pid); err != nil {
				return err
			}
		}
	}
	row("median", engines, median)
	row("best", engines, func(all []time.Duration) float64 { return ms(slices.Min(all)) })
	row("mean", engines, mean)
	return nil
}

// print prints one figure of what was measured, and the ratios to the last engine. On a machine that does other things
// too, the best time and the mean of the CPU's time are the fairest.
func row(title string, engines []*engine, figure func([]time.Duration) float64) {
	fmt.Printf("%-24s %8s %8s %9s %8s %9s %8s  %s\n", title, "start", "cold", "of CPU", "warm", "of CPU", "memory", "ratios cold, of CPU, warm, of CPU")
	last := engines[len(engines)-1]
	for _, e := range engines {
		fmt.Printf("%-24s %6.0fms %6.0fms %7.0fms %6.0fms %7.0fms %4d MiB  %.2f %.2f %.2f %.2f\n", e.name, figure(e.starts),
			figure(e.cold), figure(e.coldCPU), figure(e.warm), figure(e.warmCPU), slices.Max(e.memory)>>20,
			figure(e.cold)/figure(last.cold), figure(e.coldCPU)/figure(last.coldCPU),
			figure(e.warm)/figure(last.warm), figure(e.warmCPU)/figure(last.warmCPU))
	}
}

func median(all []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return ms(sorted[len(sorted)/2])
}

func mean(all []time.Duration) float64 {
	var sum time.Duration
	for _, d := range all {
		sum += d
	}
	return ms(sum) / float64(len(all))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// engine is something that builds, and what was measured of it.
type engine struct {
	name               string
	start              func(ctx context.Context, state string) (*running, error)
	starts, cold, warm []time.Duration
	coldCPU, warmCPU   []time.Duration
	memory             []int64
}

// running is a started engine.
type running struct {
	build.Builder

	// stop ends the engine and returns its peak memory in bytes.
	stop func() (int64, error)
}

// measure does one round.
func (e *engine) measure(ctx context.Context, req build.Request, warm, registry int) error {
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
		before, err := cpuTime(registry)
		if err != nil {
			return err
		}
		begin := time.Now()
		if _, err := engine.Build(ctx, req); err != nil {
			return err
		}
		took := time.Since(begin)
		after, err := cpuTime(registry)
		if err != nil {
			return err
		}
		if i == 0 {
			e.cold, e.coldCPU = append(e.cold, took), append(e.coldCPU, after-before)
		} else {
			e.warm, e.warmCPU = append(e.warm, took), append(e.warmCPU, after-before)
		}
	}
	memory, err := engine.stop()
	e.memory = append(e.memory, memory)
	return err
}
