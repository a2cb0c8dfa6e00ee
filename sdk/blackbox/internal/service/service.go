// Package service is the program in the image that the tests and the examples of package blackbox run against: as a
// function in the fake sandbox, and as a real program (package main beside it) in real ones.
package service

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is the world as the program sees it.
type Process struct {
	Args         []string
	Getenv       func(string) string
	User         string
	Stdin        io.Reader
	Stdout       io.Writer
	Stderr       io.Writer
	Listen       func(port int) (net.Listener, error)
	ListenPacket func(port int) (net.PacketConn, error)
	Signals      func() <-chan int
	WriteFile    func(path string, data []byte) error
}

// Main runs the command in the arguments; without one it serves.
func Main(ctx context.Context, p Process) int {
	command, rest := "serve", []string(nil)
	if len(p.Args) > 1 {
		command, rest = p.Args[1], p.Args[2:]
	}
	number := 0
	if len(rest) > 0 {
		number, _ = strconv.Atoi(rest[0]) // 0 for everything else
	}
	switch command {
	case "serve":
		return serve(ctx, p)
	case "version":
		fmt.Fprintln(p.Stdout, "service 1.4.8")
	case "exit":
		return number
	case "say":
		fmt.Fprint(p.Stdout, "ready\nto serve\n")
	case "complain":
		fmt.Fprint(p.Stderr, "ready\nto serve\n")
	case "json":
		fmt.Fprintln(p.Stdout, `{"state":"up","checks":2}`)
	case "quiet":
	case "whoami":
		fmt.Fprintln(p.Stdout, p.User)
	case "upper":
		in, err := io.ReadAll(p.Stdin)
		if err != nil {
			return 1
		}
		fmt.Fprint(p.Stdout, strings.ToUpper(string(in)))
	case "health":
		if p.Getenv("SICK") != "" {
			fmt.Fprintln(p.Stdout, "sick")
			return 1
		}
	case "eat":
		eat(ctx, number)
	case "flood":
		for ctx.Err() == nil {
			if _, err := fmt.Fprintln(p.Stdout, strings.Repeat("flood ", 100)); err != nil {
				return 1
			}
		}
	case "stubborn":
		signals := p.Signals()
		fmt.Fprintln(p.Stdout, "ready")
		for ctx.Err() == nil {
			select {
			case s := <-signals:
				fmt.Fprintf(p.Stdout, "ignoring signal %d\n", s)
			case <-ctx.Done():
			}
		}
	case "sleep":
		<-ctx.Done()
	default:
		fmt.Fprintf(p.Stderr, "no command %q\n", command)
		return 2
	}
	return 0
}

// eat uses that many MiB of memory and keeps them.
func eat(ctx context.Context, mib int) {
	var held [][]byte
	for range mib {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = 1
		}
		held = append(held, b)
	}
	<-ctx.Done()
	_ = held
}

// serve serves on all ports until SIGTERM or SIGINT.
func serve(ctx context.Context, p Process) int {
	signals := p.Signals()
	if err := p.WriteFile("/tmp/state", []byte("state=serving\nsince=start\n")); err != nil {
		fmt.Fprintln(p.Stderr, err)
	}
	for port, handle := range map[int]func(net.Listener) error{8080: serveHTTP, 8443: serveTLS, 2525: serveMail} {
		l, err := p.Listen(port)
		if err != nil {
			fmt.Fprintln(p.Stderr, err)
			return 1
		}
		go handle(l) //nolint:errcheck // the listener was closed
		defer l.Close()
	}
	for port, handle := range map[int]func(net.PacketConn){5353: servePong, 5354: serveDNS} {
		c, err := p.ListenPacket(port)
		if err != nil {
			fmt.Fprintln(p.Stderr, err)
			return 1
		}
		go handle(c)
		defer c.Close()
	}
	fmt.Fprintln(p.Stdout, "listening")
	if greeting := p.Getenv("GREETING"); greeting != "" {
		fmt.Fprintln(p.Stdout, greeting)
	}
	for {
		select {
		case <-ctx.Done():
			return 0
		case s := <-signals:
			switch syscall.Signal(s) {
			case syscall.SIGTERM, syscall.SIGINT:
				fmt.Fprintln(p.Stdout, "stopping")
				return 0
			}
		}
	}
}

// serveMail greets like a mail server and says 250 to every line.
func serveMail(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			fmt.Fprint(c, "220 service ready\r\n")
			for lines := bufio.NewScanner(c); lines.Scan(); {
				fmt.Fprint(c, "250 ok\r\n")
			}
		}()
	}
}
