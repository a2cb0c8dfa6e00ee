package homes_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/plimsoll-dev/plimsoll/internal/homes"
)

// lock is an SSH server that lets one key in, and has host keys of two kinds.
func lock(t *testing.T, client ssh.PublicKey) (address string, host ssh.PublicKey) {
	t.Helper()
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(client.Marshal()) {
			return nil, os.ErrPermission
		}
		return &ssh.Permissions{}, nil
	}}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []any{second, private} {
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			t.Fatal(err)
		}
		config.AddHostKey(signer)
		host = signer.PublicKey()
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
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
			go func() {
				if c, _, _, err := ssh.NewServerConn(conn, config); err == nil {
					_ = c.Close()
				}
			}()
		}
	}()
	return listener.Addr().String(), host
}

// TestSSH logs in with a key file and with an agent, to a server of which one of two keys is known, and to nobody else.
func TestSSH(t *testing.T) {
	dir := t.TempDir()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	address, host := lock(t, client)
	known, key, socket := filepath.Join(dir, "known_hosts"), filepath.Join(dir, "robot.key"), filepath.Join(dir, "agent")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(known, knownhosts.Line([]string{address}, host)+"\n")
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	write(key, string(pem.EncodeToMemory(block)))
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_ = agent.ServeAgent(ring, conn)
		}
	}()
	for name, opts := range map[string]homes.SSHOptions{"key": {Key: key}, "agent": {Agent: socket}} {
		t.Run(name, func(t *testing.T) {
			opts.KnownHosts = known
			s, err := homes.OpenSSH(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			dial := func(address string) error {
				auth := s.Auth(address)
				c, err := ssh.Dial("tcp", address, &ssh.ClientConfig{
					User: "git", Auth: []ssh.AuthMethod{ssh.PublicKeysCallback(auth.Signers)},
					HostKeyCallback: auth.HostKey, HostKeyAlgorithms: auth.HostKeyAlgorithms,
				})
				if err != nil {
					return err
				}
				_ = c.Close() // the server has hung up already
				return nil
			}
			if err := dial(address); err != nil {
				t.Error(err)
			}
			if other, _ := lock(t, client); !strings.Contains(dialError(dial(other)), "key is unknown") {
				t.Errorf("a server that is not known: %v", dial(other))
			}
		})
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	write(key, string(pem.EncodeToMemory(locked)))
	for want, opts := range map[string]homes.SSHOptions{
		"has a passphrase: add it to an agent": {Key: key, KnownHosts: known},
		"the SSH key:":                         {Key: filepath.Join(dir, "none"), KnownHosts: known},
		"the keys of SSH servers:":             {Key: key, KnownHosts: filepath.Join(dir, "none")},
		"the SSH agent:":                       {Agent: filepath.Join(dir, "none"), KnownHosts: known},
		"name a file, or an agent":             {KnownHosts: known},
	} {
		if _, err := homes.OpenSSH(t.Context(), opts); !strings.Contains(dialError(err), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func dialError(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
