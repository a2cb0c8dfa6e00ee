package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker/internal/probe"
)

// distant is a process that only the helper can look at.
type distant struct {
	helper    *helper
	id        string // of the helper's container
	pid       int
	container string
}

func (d *distant) Close() {}

// exec runs the helper's program once more in its container.
func (d *distant) exec(ctx context.Context, stdin bool, args ...string) (client.HijackedResponse, error) {
	c := d.helper.runtime.client
	created, err := c.ExecCreate(ctx, d.id, client.ExecCreateOptions{
		Cmd:         append([]string{probe.Path, args[0], strconv.Itoa(d.pid), d.container}, args[1:]...),
		AttachStdin: stdin, AttachStdout: true, AttachStderr: true,
	})
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) { // it is about the helper's container, not the instance's
		d.helper.lost(d.id)
		err = &probe.HelperError{Text: "the helper beside the daemon has ended: " + err.Error()}
	}
	if err != nil {
		return client.HijackedResponse{}, err
	}
	attached, err := c.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return client.HijackedResponse{}, fmt.Errorf("the helper: %w", err)
	}
	return attached.HijackedResponse, nil
}

// ask runs the helper to its end and returns what it answers, up to a limit.
func (d *distant) ask(ctx context.Context, limit int64, args ...string) ([]byte, error) {
	attached, err := d.exec(ctx, false, args...)
	if err != nil {
		return nil, err
	}
	defer attached.Close()
	defer context.AfterFunc(ctx, attached.Close)()
	out := newOutput(limit + 1)
	err = out.read(attached.Reader)
	logs := out.logs()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case len(logs.Stderr) > 0:
		return nil, told(logs.Stderr)
	case len(logs.Stdout) == 0 || logs.Stdout[0] != probe.Greeting:
		return nil, told(logs.Stdout)
	default:
		return logs.Stdout[1:], nil
	}
}

// told is the error that the helper says.
func told(stderr []byte) error {
	f := &probe.HelperError{}
	if json.Unmarshal(stderr, f) != nil {
		return fmt.Errorf("the helper: %s", bytes.TrimSpace(stderr))
	}
	return f
}

// maxAnswer bounds lists of processes and sockets.
const maxAnswer = 16 << 20

func (d *distant) Processes(ctx context.Context) (list []sandbox.Process, err error) {
	return list, d.list(ctx, &list, "processes")
}

func (d *distant) Listening(ctx context.Context) (list []sandbox.Socket, err error) {
	return list, d.list(ctx, &list, "listening")
}

func (d *distant) list(ctx context.Context, list any, args ...string) error {
	answer, err := d.ask(ctx, maxAnswer, args...)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, list)
}

func (d *distant) ReadFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	return d.ask(ctx, limit, "read", path, strconv.FormatInt(limit, 10))
}

func (d *distant) Kill(ctx context.Context) error {
	_, err := d.ask(ctx, maxAnswer, "kill")
	return err
}

// Dial makes the helper connect, and its standard files the connection.
func (d *distant) Dial(ctx context.Context, network string, port int) (net.Conn, error) {
	attached, err := d.exec(ctx, true, "dial", network, strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	conn := &tunnel{HijackedResponse: attached, datagrams: network == "udp", network: network, port: port}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = conn.established()
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		attached.Close()
		return nil, err
	}
	return conn, nil
}
