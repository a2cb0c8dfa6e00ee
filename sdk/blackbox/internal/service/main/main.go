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
	ctx := context.Background()
	var listen net.ListenConfig
	os.Exit(service.Main(ctx, service.Process{
		Args: os.Args, Getenv: os.Getenv, User: strconv.Itoa(os.Getuid()),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Listen: func(port int) (net.Listener, error) {
			return listen.Listen(ctx, "tcp4", ":"+strconv.Itoa(port))
		},
		ListenPacket: func(port int) (net.PacketConn, error) {
			return listen.ListenPacket(ctx, "udp4", ":"+strconv.Itoa(port))
		},
		Signals: signals,
		WriteFile: func(path string, data []byte) error {
			return os.WriteFile(path, data, 0o644)
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
