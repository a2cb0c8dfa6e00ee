package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/plimsoll-dev/plimsoll/internal/reexec"
)

func init() { reexec.Hook(Path, helperMain) } //nolint:gochecknoinits // the exception: this program run again

func helperMain() {
	if err := help(context.Background(), os.Args[1:]); err != nil {
		_ = json.NewEncoder(os.Stderr).Encode(newHelperError(err))
		os.Exit(1) //nolint:forbidigo // it is a program of its own
	}
}

// help does what the arguments say: a verb, a process, its container, and what the verb needs.
func help(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == "hold" {
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	if len(args) < 3 {
		return fmt.Errorf("unknown arguments %q", args)
	}
	pid, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	p, err := Open(pid, args[2])
	if errors.Is(err, ErrNotSeen) { // the helper sees all that there are
		return os.ErrProcessDone
	}
	if err != nil {
		return err
	}
	defer p.Close()
	switch rest := args[3:]; {
	case args[0] == "kill":
		return p.Kill(ctx)
	case args[0] == "processes":
		list, err := p.Processes(ctx)
		return errors.Join(err, answer(list))
	case args[0] == "listening":
		list, err := p.Listening(ctx)
		return errors.Join(err, answer(list))
	case args[0] == "read" && len(rest) == 2:
		limit, err := strconv.ParseInt(rest[1], 10, 64)
		if err != nil {
			return err
		}
		data, err := p.ReadFile(ctx, rest[0], limit)
		if err != nil {
			return err
		}
		return say(data)
	case args[0] == "dial" && len(rest) == 2:
		port, err := strconv.Atoi(rest[1])
		if err != nil {
			return err
		}
		conn, err := p.Dial(ctx, rest[0], port)
		if err != nil {
			return err
		}
		return relay(conn, rest[0] == "udp")
	default:
		return fmt.Errorf("unknown arguments %q", args)
	}
}

// say answers. The byte before the answer tells it from what the daemon writes itself when there is no helper to run.
func say(data []byte) error {
	_, err := os.Stdout.Write(append([]byte{Greeting}, data...))
	return err
}

func answer(list any) error {
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return say(data)
}

// relay says that it is connected, and connects its standard files with the connection until either ends.
func relay(conn net.Conn, datagrams bool) error {
	defer conn.Close()
	if err := say(nil); err != nil {
		return err
	}
	if datagrams {
		return relayDatagrams(conn)
	}
	go func() {
		_, err := io.Copy(conn, os.Stdin)
		if half, ok := conn.(*net.TCPConn); ok && err == nil {
			_ = half.CloseWrite()
			return
		}
		_ = conn.Close()
	}()
	_, err := io.Copy(os.Stdout, conn)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func relayDatagrams(conn net.Conn) error {
	go func() {
		defer conn.Close()
		for {
			p, err := ReadDatagram(os.Stdin)
			if err != nil {
				return
			}
			_, _ = conn.Write(p) // as lost as datagrams are
		}
	}()
	b := make([]byte, maxDatagram)
	for {
		n, err := conn.Read(b)
		if err != nil {
			return nil //nolint:nilerr // the other side has gone
		}
		if _, err := WriteDatagram(os.Stdout, b[:n]); err != nil {
			return err
		}
	}
}
