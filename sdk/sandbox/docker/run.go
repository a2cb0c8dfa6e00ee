package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// run is one life of the main process.
type run struct {
	done chan struct{}
	exit sandbox.Exit // valid when done is closed
	err  error
	pid  atomic.Int64 // on the daemon's machine; 0 until somebody asks

	guest guest
}

// launch starts the created or ended container and follows it.
func (i *Instance) launch(ctx context.Context) error {
	c, id := i.runtime.client, i.container.ID
	attached, err := c.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		if i.runtime.podman { // it has prepared the container for that, and says only here why it could not
			err = errors.Join(i.container.Start(ctx), err)
		}
		return fmt.Errorf("read its log: %w", err)
	}
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	end, err := i.startAndWait(ctx, following)
	if err != nil {
		cancel()
		attached.Close()
		return err
	}
	run := &run{done: make(chan struct{})}
	i.mu.Lock()
	i.run = run
	i.mu.Unlock()
	life := time.AfterFunc(i.spec.Limits.Life, func() {
		_, _ = c.ContainerKill(following, id, client.ContainerKillOptions{Signal: "KILL"})
	})
	go func() {
		defer cancel()
		defer attached.Close()
		defer life.Stop()
		defer close(run.done)
		i.follow(following, run, end, attached.Reader)
	}()
	return nil
}

// startAndWait starts the container and says, as long as the context following lasts, when it ends.
func (i *Instance) startAndWait(ctx, following context.Context) (client.ContainerWaitResult, error) {
	wait := func(condition container.WaitCondition) client.ContainerWaitResult {
		return i.runtime.client.ContainerWait(following, i.container.ID, client.ContainerWaitOptions{Condition: condition})
	}
	if i.runtime.podman { // it overlooks the next end if that comes soon
		if err := i.container.Start(ctx); err != nil {
			return client.ContainerWaitResult{}, err
		}
		return wait(container.WaitConditionNotRunning), nil
	}
	end := wait(container.WaitConditionNextExit)
	if err := i.container.Start(ctx); err != nil {
		go func() { // it hands its result to somebody in any case
			select {
			case <-end.Result:
			case err := <-end.Error:
				i.runtime.options.Log.DebugContext(ctx, "the wait for a container that did not start", "error", err)
			}
		}()
		return end, err
	}
	return end, nil
}

// follow reads what the container writes until it ends, and notes how it ended.
func (i *Instance) follow(ctx context.Context, run *run, end client.ContainerWaitResult, log io.Reader) {
	read := make(chan struct{})
	go func() {
		defer close(read)
		_ = i.logs.read(log) // it ends with the container, or with the daemon, which the other end tells
	}()
	select {
	case how := <-end.Result:
		run.exit = i.howEnded(ctx, int(how.StatusCode))
	case err := <-end.Error:
		run.err = err
	}
	run.guest.end()
	select { // what it wrote last may still be on its way
	case <-read:
	case <-time.After(2 * time.Second):
	}
}

// howEnded asks how the container ended.
func (i *Instance) howEnded(ctx context.Context, code int) sandbox.Exit {
	exit := exitOf(code)
	// If it was removed at once, its code is all that is known.
	if state, err := i.container.State(ctx); err == nil && state != nil {
		exit.OOM = state.OOMKilled
	}
	return exit
}

// exitOf is what an exit code says: Docker does not tell a signal from an exit code above 128.
func exitOf(code int) sandbox.Exit {
	exit := sandbox.Exit{Code: code}
	if signal := code - 128; signal > 0 && signal < 65 {
		exit.Signal = signal
	}
	return exit
}
