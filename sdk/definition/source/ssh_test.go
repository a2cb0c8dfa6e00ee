package source_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// serveSSH is an SSH server that lets one key in and runs git-upload-pack. It returns its address.
func serveSSH(t *testing.T, host, client ssh.Signer) string {
	t.Helper()
	if _, err := exec.LookPath("git-upload-pack"); err != nil {
		t.Skip("needs git:", err)
	}
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if meta.User() != "git" || string(key.Marshal()) != string(client.PublicKey().Marshal()) {
				return nil, errors.New("not you")
			}
			return nil, nil
		},
	}
	config.AddHostKey(host)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveConn(t.Context(), conn, config)
		}
	}()
	return listener.Addr().String()
}

func serveConn(ctx context.Context, conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		for r := range requests {
			if r.Type != "exec" {
				_ = r.Reply(false, nil)
				continue
			}
			_ = r.Reply(true, nil)
			cmd := exec.CommandContext(ctx, "sh", "-c", string(r.Payload[4:])) // as sshd does
			cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
			in, _ := cmd.StdinPipe()
			go func() { _, _ = io.Copy(in, channel); _ = in.Close() }()
			status := byte(0)
			if cmd.Run() != nil {
				status = 128
			}
			_, _ = channel.SendRequest("exit-status", false, []byte{0, 0, 0, status})
			_ = channel.Close()
		}
	}
}

func TestLoadSSH(t *testing.T) {
	r, ids := history(t)
	empty := newRepo(t)
	host, key := newKey(t), newKey(t)
	address := serveSSH(t, host, key)
	auth := func(host ssh.Signer, keys ...ssh.Signer) source.Auth {
		return source.Auth{
			HostKey: ssh.FixedHostKey(host.PublicKey()),
			Signers: func() ([]ssh.Signer, error) { return keys, nil },
		}
	}
	for ref, want := range map[string]string{"": ids[3], "old": ids[1], "v1": ids[0], ids[2]: ids[2], ids[2][:9]: ids[2]} {
		d, err := source.Load(t.Context(), "ssh://git@"+address+r.dir, ref, source.Options{Auth: auth(host, key)})
		if err != nil {
			t.Fatal(err)
		}
		if d.Source.Commit != want || d.Source.Repository != "ssh://git@"+address+r.dir {
			t.Errorf("source is %+v, want commit %s", d.Source, want)
		}
	}
	tests := []struct {
		name, path string
		auth       source.Auth
		check      func(error) bool
	}{
		{"wrong key", r.dir, auth(host, newKey(t)), is(source.ErrLogin)},
		{"wrong host key", r.dir, auth(newKey(t), key), contains("host key")},
		{"no host key", r.dir, source.Auth{Signers: auth(host, key).Signers}, is(source.ErrInsecure)},
		{"agent fails", r.dir, source.Auth{HostKey: auth(host).HostKey, Signers: func() ([]ssh.Signer, error) { return nil, errors.New("agent is locked") }}, contains("agent is locked")},
		{"no repository", "/no/such/place", auth(host, key), is(source.ErrNoRepository)},
		{"empty repository", empty.dir, auth(host, key), is(source.ErrEmptyRepository)},
		{"a path that a shell would run", "/x'; echo 0000; '", auth(host, key), contains("echo 0000")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			_, err := source.Load(t.Context(), "ssh://git@"+address+test.path, "", source.Options{Auth: test.auth})
			if err == nil || !test.check(err) {
				t.Errorf("unexpected error: %v", err)
			}
		})
	}
}

// TestCancelSSH cancels while a server that accepted the connection says nothing.
func TestCancelSSH(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		cancel()
		_, _ = io.Copy(io.Discard, conn) // until the client goes
	}()
	key := newKey(t)
	_, err = source.Load(ctx, "ssh://git@"+listener.Addr().String()+"/x", "", source.Options{Auth: source.Auth{
		HostKey: ssh.FixedHostKey(key.PublicKey()), Signers: func() ([]ssh.Signer, error) { return []ssh.Signer{key}, nil },
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
	if err != nil && !strings.HasPrefix(err.Error(), "ssh://git@127.0.0.1:") {
		t.Errorf("error does not begin with the repository: %v", err)
	}
}
