package homes

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

// SSHOptions say how to log in to git servers over SSH.
type SSHOptions struct {
	// Key is a file with a private key without a passphrase.
	Key string
	// Agent is the path of an agent's socket, which is asked when there is no Key.
	Agent string
	// KnownHosts has the keys of servers. Default: .ssh/known_hosts in the user's home.
	KnownHosts string
}

// SSH logs in to git servers. It is safe for concurrent use; Close it when nothing logs in any more.
type SSH struct {
	signers func() ([]ssh.Signer, error)
	known   ssh.HostKeyCallback
	agent   net.Conn
}

// OpenSSH reads the keys of servers and one's own, or connects to the agent.
func OpenSSH(ctx context.Context, o SSHOptions) (*SSH, error) {
	if o.KnownHosts == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("the keys of SSH servers: %w", err)
		}
		o.KnownHosts = filepath.Join(home, ".ssh", "known_hosts")
	}
	s := &SSH{}
	var err error
	if s.known, err = knownhosts.New(o.KnownHosts); err != nil {
		return nil, fmt.Errorf("the keys of SSH servers: %w", err)
	}
	switch {
	case o.Key != "":
		signer, err := readKey(o.Key)
		if err != nil {
			return nil, err
		}
		s.signers = func() ([]ssh.Signer, error) { return []ssh.Signer{signer}, nil }
	case o.Agent != "":
		if s.agent, err = (&net.Dialer{}).DialContext(ctx, "unix", o.Agent); err != nil {
			return nil, fmt.Errorf("the SSH agent: %w", err)
		}
		s.signers = agent.NewClient(s.agent).Signers
	default:
		return nil, errors.New("SSH needs a key: name a file, or an agent")
	}
	return s, nil
}

func readKey(name string) (ssh.Signer, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("the SSH key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		return nil, fmt.Errorf("the SSH key %s has a passphrase: add it to an agent, and name that", name)
	}
	if err != nil {
		return nil, fmt.Errorf("the SSH key %s: %w", name, err)
	}
	return signer, nil
}

// Auth logs in to a server, "host:port". One whose key is not known is refused.
func (s *SSH) Auth(server string) source.Auth {
	return source.Auth{Signers: s.signers, HostKey: s.known, HostKeyAlgorithms: s.algorithms(server)}
}

// algorithms are those of the keys that are known of a server, so that it shows one of these. They are found by asking
// about a key that nobody has; nil when the server is not known.
func (s *SSH) algorithms(server string) []string {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil
	}
	wrong, ok := errors.AsType[*knownhosts.KeyError](s.known(server, &net.TCPAddr{IP: net.IPv4zero}, key))
	if !ok {
		return nil
	}
	var all []string
	for _, k := range wrong.Want {
		if k.Key.Type() == ssh.KeyAlgoRSA {
			all = append(all, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		}
		all = append(all, k.Key.Type())
	}
	return all
}

// Close leaves the agent.
func (s *SSH) Close() error {
	if s.agent == nil {
		return nil
	}
	return s.agent.Close()
}
