package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	running "github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/namespaces"
)

// remedyParallel is how many instances every side works on at a time.
const remedyParallel = 8

// remedies is many running containers of one image.
type remedies struct {
	subject *subject
	place   *docker.Place
	ids     []string
}

func remedyCase() compare.Case {
	return compare.Case{
		Name: "remedy", Doc: "run true in every running container, 8 at a time", Unit: "containers", Sizes: []int{50, 200}, Quick: 20,
		Setup: func(ctx context.Context, env compare.Env, size int) ([]compare.Side, func() error, error) {
			r := &remedies{}
			var err error
			if r.subject, err = newSubject(ctx, env, 0); err != nil {
				return nil, nil, err
			}
			enter, err := namespaces.New()
			if err != nil {
				return nil, r.down, err
			}
			if r.place, err = docker.Open(docker.Options{Enter: enter.Run}); err != nil {
				return nil, r.down, err
			}
			if err := r.start(ctx, env.Log, size); err != nil {
				return nil, r.down, err
			}
			return []compare.Side{
				{Name: "fleet, namespaces", Kind: compare.Ours, Do: r.run(env.Dir, running.Namespaces)},
				{Name: "fleet, exec", Kind: compare.Ours, Do: r.run(env.Dir, running.Exec)},
				{Name: "xargs -P8 docker exec", Kind: compare.Peer, Do: r.xargs},
				{Name: "Docker's bare API", Kind: compare.Floor, Do: r.bare},
			}, r.down, nil
		},
	}
}

// each calls f for all containers, as many at a time as every side does.
func (r *remedies) each(n int, f func(n int) error) error {
	slots := make(chan struct{}, remedyParallel)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for k := range n {
		slots <- struct{}{}
		wg.Go(func() {
			errs[k] = f(k)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (r *remedies) start(ctx context.Context, log io.Writer, size int) error {
	r.ids = make([]string, size)
	var started atomic.Int32
	return r.each(size, func(n int) error {
		made, err := r.subject.docker.ContainerCreate(ctx, client.ContainerCreateOptions{
			Config:     &container.Config{Image: r.subject.tag, Labels: map[string]string{"plimsoll.bench": "remedy"}},
			HostConfig: &container.HostConfig{NetworkMode: "none", LogConfig: container.LogConfig{Type: "none"}},
		})
		if err != nil {
			return err
		}
		r.ids[n] = made.ID
		_, err = r.subject.docker.ContainerStart(ctx, made.ID, client.ContainerStartOptions{})
		if k := started.Add(1); k%50 == 0 {
			fmt.Fprintf(log, "remedy: %d containers run\n", k)
		}
		return err
	})
}

func (r *remedies) down() error {
	var errs []error
	if r.place != nil {
		errs = append(errs, r.place.Close())
	}
	errs = append(errs, r.each(len(r.ids), func(n int) error {
		if r.ids[n] == "" {
			return nil
		}
		_, err := r.subject.docker.ContainerRemove(context.Background(), r.ids[n], client.ContainerRemoveOptions{Force: true})
		return err
	}), r.subject.remove())
	return errors.Join(errs...)
}

func (r *remedies) work() compare.Work {
	return compare.Work{Done: fmt.Sprintf("true in %d containers", len(r.ids))}
}

// run is a whole run: the list, the selection, the claims, and the transcript on disk.
func (r *remedies) run(dir string, s running.Strategy) func(context.Context, int) (compare.Work, error) {
	return func(ctx context.Context, _ int) (compare.Work, error) {
		log, err := os.MkdirTemp(dir, "transcript-")
		if err != nil {
			return compare.Work{}, err
		}
		transcript, err := audit.Open(filepath.Join(log, "log"), audit.Options{Name: "bench"})
		if err != nil {
			return compare.Work{}, err
		}
		defer transcript.Close()
		inventory := running.NewInventory(r.place)
		if err := inventory.Refresh(ctx, time.Minute); err != nil {
			return compare.Work{}, err
		}
		runner := running.Runner{Inventory: inventory, Log: transcript}
		got, err := runner.Run(ctx, running.Order{
			Remedy: running.Remedy{
				Name: "bench", Where: "true", Run: []string{"/bin/true"}, Strategies: []running.Strategy{s},
				Limits: running.Limits{Parallel: remedyParallel, PerHost: remedyParallel, Canary: "8"},
			},
			Selector: running.SelectorFunc(func(i *running.Instance) running.Verdict {
				if i.Labels["plimsoll.bench"] == "remedy" {
					return running.Verdict{Meant: running.Yes}
				}
				return running.Verdict{Meant: running.No}
			}),
			By: "bench",
		})
		if err == nil && got.Counts[running.Done] != len(r.ids) {
			err = errors.New(got.Summary())
		}
		return r.work(), err
	}
}

func (r *remedies) xargs(ctx context.Context, _ int) (compare.Work, error) {
	cmd := exec.CommandContext(ctx, "xargs", "-P", fmt.Sprint(remedyParallel), "-I{}", "docker", "exec", "{}", "/bin/true")
	cmd.Stdin = strings.NewReader(strings.Join(r.ids, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return compare.Work{}, fmt.Errorf("%w: %s", err, out)
	}
	return r.work(), nil
}

// bare is what the API cannot do without: an exec is made, started and asked for its exit code.
func (r *remedies) bare(ctx context.Context, _ int) (compare.Work, error) {
	api := r.subject.docker
	return r.work(), r.each(len(r.ids), func(n int) error {
		made, err := api.ExecCreate(ctx, r.ids[n], client.ExecCreateOptions{Cmd: []string{"/bin/true"}, AttachStdout: true, AttachStderr: true})
		if err != nil {
			return err
		}
		attached, err := api.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, attached.Reader)
		attached.Close()
		if err != nil {
			return err
		}
		state, err := api.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
		if err == nil && state.ExitCode != 0 {
			err = fmt.Errorf("exit code %d", state.ExitCode)
		}
		return err
	})
}
