package blackbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// socketStep is a step about the sockets that processes of the instance listen on.
func socketStep(expression, doc, example string, test func(all []sandbox.Socket, i *instance, a Args) error) Step {
	return instanceStep("Ports", expression, doc, example, func(ctx context.Context, i *instance, a Args) error {
		inspector, ok := i.Instance.(sandbox.Inspector)
		if !ok {
			return missing(i, "looking at listening sockets")
		}
		all, err := inspector.Listening(ctx)
		if err != nil {
			return err
		}
		return test(all, i, a)
	}).within()
}

// listens says whether a socket is of the protocol and port.
func listens(all []sandbox.Socket, protocol string, port int) bool {
	return slices.ContainsFunc(all, func(s sandbox.Socket) bool {
		return strings.HasPrefix(s.Network, protocol) && s.Port == port
	})
}

func sockets(all []sandbox.Socket) string {
	var found []string
	for _, s := range all {
		found = append(found, fmt.Sprintf("%d/%s", s.Port, strings.TrimSuffix(s.Network, "6")))
	}
	slices.Sort(found)
	return list(slices.Compact(found))
}

func portSteps() []Step {
	const group = "Ports"
	dial := func(ctx context.Context, i *instance, port int) error {
		conn, err := i.Dial(ctx, "tcp", port)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	allowed := socketStep("the instance listens on no other ports than", "Passes when every socket that a process listens on is in the table, as \"8080\" or \"53/udp\".",
		"When an instance is started\nThen within 10 seconds port 8080 accepts connections\nAnd the instance listens on no other ports than\n  | 8080     |\n  | 8443     |\n  | 2525     |\n  | 5353/udp |\n  | 5354/udp |",
		func(all []sandbox.Socket, _ *instance, a Args) error {
			ports, err := a.List()
			if err != nil {
				return err
			}
			others := slices.DeleteFunc(slices.Clone(all), func(s sandbox.Socket) bool {
				protocol := strings.TrimSuffix(s.Network, "6")
				return slices.Contains(ports, fmt.Sprintf("%d/%s", s.Port, protocol)) || protocol == "tcp" && slices.Contains(ports, strconv.Itoa(s.Port))
			})
			return expect(len(others) == 0, "the ports that the instance listens on", "no other than "+list(ports), sockets(others))
		})
	allowed.Takes = TakesTable
	return []Step{
		instanceStep(group, "port {int} accepts connections", "Connects to a TCP port from inside the instance's network: the service itself answers, not a proxy before it.",
			"When an instance is started\nThen within 10 seconds port 8080 accepts connections",
			func(ctx context.Context, i *instance, a Args) error {
				if err := dial(ctx, i, a.Int(0)); err != nil {
					return fmt.Errorf("port %d: expected a connection: %w", a.Int(0), err)
				}
				return nil
			}).within(),
		instanceStep(group, "port {int} refuses connections", "Passes when nothing accepts connections to a TCP port.",
			"When an instance is started\nThen port 22 refuses connections",
			func(ctx context.Context, i *instance, a Args) error {
				return refused(ctx, i, a.Int(0), dial(ctx, i, a.Int(0)))
			}).within().alone(),
		socketStep("the instance listens on port {int}", "Passes when a process of the instance listens on the TCP port.",
			"When an instance is started\nThen within 10 seconds the instance listens on port 8080",
			func(all []sandbox.Socket, _ *instance, a Args) error {
				return expect(listens(all, "tcp", a.Int(0)), "the ports that the instance listens on", strconv.Itoa(a.Int(0)), sockets(all))
			}),
		socketStep("the instance does not listen on port {int}", "Passes when no process of the instance listens on the TCP port.",
			"When an instance is started\nThen the instance does not listen on port 22",
			func(all []sandbox.Socket, _ *instance, a Args) error {
				return expect(!listens(all, "tcp", a.Int(0)), "the ports that the instance listens on", "no "+strconv.Itoa(a.Int(0)), sockets(all))
			}).alone(),
		socketStep("the instance listens on the UDP port {int}", "Passes when a process of the instance has the UDP port.",
			"When an instance is started\nThen within 10 seconds the instance listens on the UDP port 5353",
			func(all []sandbox.Socket, _ *instance, a Args) error {
				return expect(listens(all, "udp", a.Int(0)), "the ports that the instance listens on", strconv.Itoa(a.Int(0))+"/udp", sockets(all))
			}),
		socketStep("the instance listens on port {int} at the address {string}", "Passes when a process listens on the TCP port at just that address; \"0.0.0.0\" and \"::\" stand for all.",
			"When an instance is started\nThen within 10 seconds the instance listens on port 8080 at the address \"0.0.0.0\"",
			func(all []sandbox.Socket, _ *instance, a Args) error {
				var found []string
				for _, s := range all {
					if strings.HasPrefix(s.Network, "tcp") && s.Port == a.Int(0) {
						found = append(found, s.Address)
					}
				}
				return expect(slices.Contains(found, a.String(1)), fmt.Sprintf("the addresses of port %d", a.Int(0)), a.String(1), list(found))
			}),
		allowed,
		socketStep("the instance listens on every port that the image exposes", "Passes when a process listens on each TCP and UDP port that the configuration exposes.",
			"When an instance is started\nThen within 10 seconds the instance listens on every port that the image exposes",
			func(all []sandbox.Socket, i *instance, _ Args) error {
				for exposed := range i.image.Config.Config.ExposedPorts {
					number, protocol, _ := strings.Cut(exposed, "/")
					port, err := strconv.Atoi(number)
					if err != nil {
						return fmt.Errorf("the image exposes the port %q: %w", exposed, err)
					}
					if !listens(all, or(protocol, "tcp"), port) {
						return &Mismatch{What: "the ports that the instance listens on", Expected: exposed, Found: sockets(all)}
					}
				}
				return nil
			}),
		socketStep("port {int} is open to other instances", "Passes when a process listens on the TCP port on an address other than loopback.",
			"When an instance is started\nThen within 10 seconds port 8080 is open to other instances",
			func(all []sandbox.Socket, _ *instance, a Args) error {
				var found []string
				for _, s := range all {
					if strings.HasPrefix(s.Network, "tcp") && s.Port == a.Int(0) {
						if !strings.HasPrefix(s.Address, "127.") && s.Address != "::1" {
							return nil
						}
						found = append(found, s.Address)
					}
				}
				return &Mismatch{What: fmt.Sprintf("the addresses of port %d", a.Int(0)), Expected: "one that others reach", Found: list(found)}
			}),
	}
}

// refused passes when a connection to a port was refused. Another error does not say that nothing listens there.
func refused(ctx context.Context, i *instance, port int, err error) error {
	what := fmt.Sprintf("port %d of %s", port, i.ID())
	switch {
	case err == nil:
		return &Mismatch{What: what, Expected: "to refuse connections", Found: "one was accepted"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil
	case errors.Is(err, sandbox.ErrUnsupported), ctx.Err() != nil:
		return err
	}
	return fmt.Errorf("%s: expected to be refused: %w", what, err)
}
