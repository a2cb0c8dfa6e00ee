package blackbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// answerTime is how long a step without "within" waits for bytes.
const answerTime = 5 * time.Second

func networkSteps() []Step {
	const group = "TCP, UDP and DNS"
	const started = "When an instance is started\nThen within 10 seconds "
	talk := func(network string) func(context.Context, *instance, Args) error {
		return func(ctx context.Context, i *instance, a Args) error {
			return converse(ctx, i, network, a.Int(0), escapes.Replace(a.String(2)), escapes.Replace(a.String(1)))
		}
	}
	return []Step{
		instanceStep(group, "port {int} greets with {string}", "Connects to a TCP port, says nothing, and passes when what comes has the text in it.",
			started+"port 2525 greets with \"220 \"",
			func(ctx context.Context, i *instance, a Args) error {
				return converse(ctx, i, "tcp", a.Int(0), "", escapes.Replace(a.String(1)))
			}).within(),
		instanceStep(group, "port {int} answers {string} to {string}", `Sends a text to a TCP port and passes when the answer has the other text in it. "\r", "\n" and "\t" stand for what they do in Go.`,
			started+`port 2525 answers "250 " to "HELO qa\r\n"`, talk("tcp")).within(),
		instanceStep(group, "the UDP port {int} answers {string} to {string}", "Sends a datagram and passes when one comes back that has the text in it.",
			started+`the UDP port 5353 answers "pong" to "ping"`, talk("udp")).within(),
		instanceStep(group, "the DNS server on port {int} answers {string} to {string}", "Asks over UDP, as in \"A service.example\", and passes when one of the answers is the text. A, AAAA, CNAME and TXT can be asked for.",
			started+`the DNS server on port 5354 answers "192.0.2.7" to "A service.example"`,
			func(ctx context.Context, i *instance, a Args) error {
				found, err := resolve(ctx, i, a.Int(0), a.String(2))
				if err != nil {
					return err
				}
				return expect(slices.Contains(found, a.String(1)), "the answer to "+a.String(2), a.String(1), list(found))
			}).within(),
	}
}

var escapes = strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\t`, "\t", `\\`, `\`)

// converse sends text to a port and reads until the expected text came.
func converse(ctx context.Context, i *instance, network string, port int, send, want string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	conn, err := i.Dial(ctx, network, port)
	if err != nil {
		return fmt.Errorf("port %d: expected a connection: %w", port, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, send); send != "" && err != nil {
		return fmt.Errorf("port %d: sending: %w", port, err)
	}
	var got []byte
	buffer := make([]byte, 64<<10)
	for len(got) < maxBody {
		n, err := conn.Read(buffer)
		got = append(got, buffer[:n]...)
		if strings.Contains(string(got), want) {
			return nil
		}
		if err != nil {
			break
		}
	}
	return &Mismatch{What: fmt.Sprintf("the answer of port %d", port), Expected: quote(want), Found: quote(string(got))}
}

// resolve asks a DNS server in the instance.
func resolve(ctx context.Context, i *instance, port int, question string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	kind, name, ok := strings.Cut(question, " ")
	if !ok {
		return nil, fmt.Errorf("%q is no question: write a type and a name, such as \"A service.example\"", question)
	}
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return i.Dial(ctx, strings.TrimRight(network, "46"), port)
	}}
	name = strings.TrimSuffix(name, ".") + "." // no search domains
	var answers []string
	var err error
	switch kind {
	case "A", "AAAA":
		network := map[string]string{"A": "ip4", "AAAA": "ip6"}[kind]
		var ips []net.IP
		ips, err = r.LookupIP(ctx, network, name)
		for _, ip := range ips {
			answers = append(answers, ip.String())
		}
	case "CNAME":
		var canonical string
		canonical, err = r.LookupCNAME(ctx, name)
		answers = []string{strings.TrimSuffix(canonical, ".")}
	case "TXT":
		answers, err = r.LookupTXT(ctx, name)
	default:
		return nil, fmt.Errorf("%q is no type of question that this step knows: A, AAAA, CNAME, TXT", kind)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return nil, nil
	}
	return answers, err
}
