// Package nodecmd has the commands of a machine that starts containers. Two programs have them: examples/plimsoll, beside
// everything else, and examples/gate, which is small and so starts fast.
package nodecmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/agent"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/distribution"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/keys"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// DefaultConfig is where the configuration is unless PLIMSOLL_GATE or --gate says otherwise.
const DefaultConfig = "/etc/plimsoll/gate.yaml"

// Config is the configuration of the gates of a machine.
type Config struct {
	// Name is the machine's, in records and permits. Default: its host name.
	Name string `yaml:"name"`
	// Stream is the deny bundle's name: "production".
	Stream string `yaml:"stream"`
	// Store is where the bundle is kept. Default: /var/lib/plimsoll/deny.
	Store string `yaml:"store"`
	// Keys are those that sign bundles: a public key, or a list of keys in YAML.
	Keys string `yaml:"keys"`
	// From is where the agent gets bundles: "oci:registry.example/ops/deny", an https URL, or a directory.
	From string `yaml:"from"`
	// Every is how often it asks. Default: 1m.
	Every time.Duration `yaml:"every"`
	// Audit is the directory of the audit log. Without it permits can't be used.
	Audit string `yaml:"audit"`
	// Permits are break-glass permits: files in Dir, signed by Keys.
	Permits struct {
		Dir  string `yaml:"dir"`
		Keys string `yaml:"keys"`
	} `yaml:"permits"`
	Policy struct {
		Unknown string        `yaml:"unknown"`
		Layers  string        `yaml:"layers"`
		Grace   time.Duration `yaml:"grace"`
	} `yaml:"policy"`
	// PlainHTTP are registries that may be spoken to without TLS.
	PlainHTTP []string `yaml:"plainHTTP"`
}

// Load reads a configuration. Names that are not known are errors.
func Load(path string) (*Config, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration of the gate: %w", err)
	}
	c := &Config{}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.Stream == "" || c.Keys == "" {
		return nil, fmt.Errorf("%s: it needs stream and keys", path)
	}
	if c.Store == "" {
		c.Store = "/var/lib/plimsoll/deny"
	}
	if c.Name == "" {
		if c.Name, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// OpenStore opens the store of the bundle; once is for a single decision.
func (c *Config) OpenStore(once bool, log *slog.Logger) (*agent.Store, error) {
	verifier, err := LoadVerifier(c.Keys)
	if err != nil {
		return nil, err
	}
	return agent.Open(c.Store, agent.Options{Name: c.Stream, Verifier: verifier, Once: once, Log: log})
}

// LoadVerifier reads trusted keys.
func LoadVerifier(path string) (bundle.Verifier, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	trusted, err := attest.LoadKeys(path, src)
	if err != nil {
		return nil, err
	}
	return keys.Verifier(trusted, time.Now), nil
}

// Gate makes the gate of the configuration, and a function that closes it.
func (c *Config) Gate(once bool, log *slog.Logger) (*admission.Gate, func() error, error) {
	policy := admission.Policy{Grace: c.Policy.Grace}
	for _, p := range []struct {
		text string
		to   *admission.Outcome
	}{{c.Policy.Unknown, &policy.Unknown}, {c.Policy.Layers, &policy.Layers}} {
		if p.text == "" {
			continue
		}
		outcome, err := admission.ParseOutcome(p.text)
		if err != nil {
			return nil, nil, fmt.Errorf("policy: %w", err)
		}
		*p.to = outcome
	}
	store, err := c.OpenStore(once, log)
	if err != nil {
		return nil, nil, err
	}
	opts := admission.Options{Bundles: store, Policy: policy, Name: c.Name, Log: log}
	if c.Audit != "" {
		opts.Recorder = auditDir(c.Audit)
	}
	if c.Permits.Dir != "" {
		verifier, err := LoadVerifier(c.Permits.Keys)
		if err != nil {
			return nil, nil, fmt.Errorf("keys of permits: %w", errors.Join(err, store.Close()))
		}
		opts.Permits = permitDir{c.Permits.Dir, verifier}
	}
	return admission.NewGate(opts), store.Close, nil
}

// Registry is a client for the registries of the configuration.
func (c *Config) Registry() *registry.Client { return newRegistry(c.PlainHTTP) }

// Remote is where bundles come from.
func (c *Config) Remote() (distribution.Remote, func(), error) {
	if c.From == "" {
		return nil, nil, errors.New("the configuration of the gate does not say where bundles come from")
	}
	return OpenRemote(c.From, c.PlainHTTP)
}

// OpenRemote opens "oci:REPOSITORY", an http(s) URL or a directory.
func OpenRemote(where string, plainHTTP []string) (distribution.Remote, func(), error) {
	if repository, ok := strings.CutPrefix(where, "oci:"); ok {
		client := newRegistry(plainHTTP)
		return distribution.Registry(client, repository), client.Close, nil
	}
	if strings.Contains(where, "://") {
		remote, err := distribution.HTTP(&http.Client{Timeout: 10 * time.Minute}, where)
		return remote, func() {}, err
	}
	return distribution.Dir(where), func() {}, nil
}

// auditDir is an audit log that several processes write to, one at a time.
type auditDir string

func (d auditDir) Record(ctx context.Context, gate string, decision admission.Decision) error {
	for wait := time.Millisecond; ; wait *= 2 {
		log, err := audit.Open(string(d), audit.Options{Name: gate})
		if errors.Is(err, audit.ErrInUse) && wait < 2*time.Second {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
				continue
			}
		}
		if err != nil {
			return err
		}
		return errors.Join(admission.AuditLog(log).Record(ctx, gate, decision), log.Close())
	}
}

// permitDir is a directory of signed permits. One that can't be read spoils no other, and is told.
type permitDir struct {
	dir      string
	verifier bundle.Verifier
}

const maxPermit = 1 << 20

func (p permitDir) Permits(ctx context.Context) ([]admission.Permit, error) {
	names, err := filepath.Glob(filepath.Join(p.dir, "*.permit"))
	if err != nil {
		return nil, err
	}
	var list []admission.Permit
	var errs []error
	for _, name := range names {
		info, err := os.Stat(name)
		if err == nil && info.Size() > maxPermit {
			err = fmt.Errorf("%d bytes", info.Size())
		}
		var data []byte
		if err == nil {
			data, err = os.ReadFile(name)
		}
		var permit admission.Permit
		if err == nil {
			permit, err = admission.OpenPermit(ctx, data, p.verifier)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		default:
			list = append(list, permit)
		}
	}
	return list, errors.Join(errs...)
}
