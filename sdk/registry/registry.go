// Package registry reads and writes container images in registries: resolve a tag to a digest, read an image's config
// for a platform, push an index by digest and set its tags last, annotate it, keep it as an OCI layout.
//
// Most programs need one [Client], made with [New] and used for everything:
//
//	client := registry.New(registry.Options{Keychain: authn.DefaultKeychain})
//	defer client.Close()
//	digest, err := client.Resolve(ctx, "docker.io/library/debian:12")
//
// It is a thin layer over go-containerregistry, whose types it uses, and adds what a build service needs of it: retries
// that honour Retry-After and end with the context, limits on what is read, a time limit on standstill, plain http only
// where it was allowed, and errors that name the reference and what to do ([Error]).
//
// It keeps no cache of content: what a tag means is asked each time. What it does keep is how to talk to a registry (the
// scheme, the kind of authentication, tokens, connections), so the second reference costs one request.
//
// Package registrytest has a registry on loopback for tests and examples.
package registry

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Options say how a client talks to registries. The zero value is useful: anonymous, https everywhere but on loopback.
type Options struct {
	// Keychain finds the credentials for a registry. Nil means anonymous. Programs that run for a person or in CI give
	// authn.DefaultKeychain, which reads the Docker (or Podman) configuration and asks its credential helpers; a service
	// gives its own. It is asked again when a registry refuses what it gave before, so short-lived credentials work.
	Keychain authn.Keychain
	// Transport makes the requests. Nil means one of the client's own: system certificates, no proxy, connections kept
	// for 90 s. Programs that want the environment's proxy give an http.Transport with Proxy: http.ProxyFromEnvironment.
	Transport http.RoundTripper
	// Insecure says whether plain http may be used with a host ("registry.test:5000"). Loopback hosts always may; all
	// others only if Insecure says so. https is tried first in any case. Nil allows none.
	Insecure func(host string) bool
	// Retries is how often a request is sent again after a fault that may pass: 408, 429, 500, 502, 503, 504, a refused
	// or cut connection, standstill. 0 means 3; negative means never.
	Retries int
	// Backoff is the wait before the first retry; it doubles with each, up to 10 s, with jitter. A registry's Retry-After
	// is honoured if it is longer; one of more than a minute is an error at once. 0 means 200 ms.
	Backoff time.Duration
	// Stall is how long a request may stand still, in either direction, before it is given up and sent again.
	// 0 means 30 s. The whole of an operation is limited by its context only.
	Stall time.Duration
	// MaxManifestBytes limits manifests, indexes and image configs. 0 means 4 MiB, which is what the distribution
	// specification asks registries to accept.
	MaxManifestBytes int64
	// Jobs is how many blobs one push uploads at a time. 0 means 4.
	Jobs int
	// Log receives retries, at level Warn. Nil discards. No credential, header or query is ever logged.
	Log *slog.Logger
}

// Client reads from and writes to registries. It is safe for concurrent use.
type Client struct {
	opts      Options
	own       *http.Transport // nil when the caller gave a transport
	transport *retryTransport
	pings     *pingCache
	readers   sync.Map // repository -> *http.Client
	uploads   turns

	mu     sync.Mutex
	puller *remote.Puller
}

// openBlobs limits the layers that are open for reading at a time. go-containerregistry blocks the next reader at the
// limit, so it stands well above what one caller holds open side by side.
const openBlobs = 128

// New returns a client. Nothing is sent yet.
func New(opts Options) *Client {
	c := &Client{}
	if opts.Transport == nil {
		c.own = &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			ForceAttemptHTTP2:     true,
			MaxIdleConns:          100,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: time.Second,
		}
		opts.Transport = c.own
	}
	if opts.Retries == 0 {
		opts.Retries = 3
	}
	if opts.Backoff <= 0 {
		opts.Backoff = 200 * time.Millisecond
	}
	if opts.Stall <= 0 {
		opts.Stall = 30 * time.Second
	}
	if opts.MaxManifestBytes <= 0 {
		opts.MaxManifestBytes = 4 << 20
	}
	if opts.Jobs <= 0 {
		opts.Jobs = 4
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	c.opts = opts
	c.transport = &retryTransport{
		inner:   &stallTransport{inner: opts.Transport, stall: opts.Stall},
		retries: max(opts.Retries, 0),
		backoff: opts.Backoff,
		limit:   opts.MaxManifestBytes,
		log:     opts.Log,
	}
	c.pings = &pingCache{inner: &schemeTransport{inner: c.transport, allowed: c.plainHTTP}}
	c.renew(nil)
	return c
}

// Close closes idle connections of the client's own transport. Operations under way are not stopped.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// remoteOptions leave retries to our own transport: go-containerregistry's neither end with the context nor read
// Retry-After.
func (c *Client) remoteOptions(jobs int) []remote.Option {
	keychain := c.opts.Keychain
	if keychain == nil {
		keychain = authn.NewMultiKeychain()
	}
	return []remote.Option{
		remote.WithAuthFromKeychain(keychain),
		remote.WithTransport(c.pings),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
		remote.WithRetryPredicate(func(error) bool { return false }),
		remote.WithRetryStatusCodes(),
		remote.WithPageSize(0), // some registries end the list silently at a page that was asked for
		remote.WithJobs(jobs),
		remote.WithUserAgent("plimsoll"),
	}
}

// renew forgets what was learnt about registries, unless another caller did so since it got used, and returns the
// puller to use from now on.
func (c *Client) renew(used *remote.Puller) *remote.Puller {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.puller == used {
		c.pings.forget()
		c.readers.Clear()
		puller, err := remote.NewPuller(c.remoteOptions(openBlobs)...)
		if err != nil {
			panic(err) // only contradictory options fail, and ours are fixed
		}
		c.puller = puller
	}
	return c.puller
}

func (c *Client) current() *remote.Puller {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.puller
}

// parse reads a reference, "name[:tag][@digest]"; registry, "library/" and tag have Docker's defaults.
func (c *Client) parse(op, ref string) (name.Reference, error) {
	r, err := name.ParseReference(ref)
	if err == nil && c.plainHTTP(r.Context().RegistryStr()) {
		r, err = name.ParseReference(ref, name.Insecure)
	}
	if err != nil {
		return nil, &Error{Op: op, Ref: ref, Help: `write it as "registry/repository:tag" or "registry/repository@sha256:..."`, Err: err}
	}
	return r, nil
}

func (c *Client) parseRepository(op, repository string) (name.Repository, error) {
	r, err := name.NewRepository(repository)
	if err == nil && c.plainHTTP(r.RegistryStr()) {
		r, err = name.NewRepository(repository, name.Insecure)
	}
	if err != nil {
		return r, &Error{Op: op, Ref: repository, Help: `write it as "registry/repository", without tag or digest`, Err: err}
	}
	return r, nil
}
