// Main is the program of package service for real images.
package main

import (
	"context"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/internal/service"
)

func main() {
	os.Exit(service.Main(context.Background(), service.Process{
		Args: os.Args, Getenv: os.Getenv, User: strconv.Itoa(os.Getuid()),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Listen: func(port int) (net.Listener, error) { return net.Listen("tcp4", ":"+strconv.Itoa(port)) },
		ListenPacket: func(port int) (net.PacketConn, error) {
			return net.ListenPacket("udp4", ":"+strconv.Itoa(port))
		},
		Signals: signals,
		WriteFile: func(path string, data []byte) error {
			return os.WriteFile(path, data, 0o644) //nolint:gosec // a test's
		},
	}))
}

func signals() <-chan int {
	received := make(chan os.Signal, 8)
	signal.Notify(received, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	numbers := make(chan int)
	go func() {
		for s := range received {
			numbers <- int(s.(syscall.Signal))
		}
	}()
	return numbers
}
