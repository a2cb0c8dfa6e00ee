// Package trigger notices that a base has a new image: by asking its registry at intervals ([Poller]), and by being told
// ([Handler], the webhooks of Docker Registry, Harbor, and whoever posts a reference). What it notices is the question that a
// storm answers ([storm.FromTag]).
//
// A webhook is a hint and no more: whatever it says, the registry is asked what the tag means now.
package trigger

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Resolver says what a tag means; *registry.Client is one.
type Resolver interface {
	Resolve(ctx context.Context, ref string) (digest string, err error)
}

// Moved is a tag that means another image than before.
type Moved struct {
	// Name is the full reference, "docker.io/library/debian:12".
	Name string
	// Before and Now are digests; Before is empty where nothing was known.
	Before, Now string
}

// Poller asks what tags mean. All fields but Interval and Log are required. It is safe for concurrent use.
type Poller struct {
	Registry Resolver
	// Names are the references to watch.
	Names []string
	// Marks keeps what they meant, so that nothing is missed while nobody looks; a lineage.Store does.
	Marks Marks
	// Interval is how often everything is asked. Default 10 min.
	Interval time.Duration
	// Moved is called for each tag that has moved, one at a time. An error means that it is called again.
	Moved func(ctx context.Context, m Moved) error
	// Failed is told what could not be asked or done; it is tried again. May be nil.
	Failed func(name string, err error)

	mu sync.Mutex
}

// Marks keeps values by name.
type Marks interface {
	Marks(ctx context.Context, prefix string) (map[string]string, error)
	Put(ctx context.Context, batch lineage.Batch) error
}

const prefix = "trigger "

// Run asks until ctx ends.
func (p *Poller) Run(ctx context.Context) error {
	interval := p.Interval
	if interval == 0 {
		interval = 10 * time.Minute
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		for _, name := range p.Names {
			if err := p.Look(ctx, name); err != nil && ctx.Err() == nil && p.Failed != nil {
				p.Failed(name, err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Look asks what a tag means now. The first time it only notes that.
func (p *Poller) Look(ctx context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	name = catalog.FullReference(name)
	now, err := p.Registry.Resolve(ctx, name)
	if err != nil {
		return err
	}
	marks, err := p.Marks.Marks(ctx, prefix+name)
	if err != nil {
		return err
	}
	before := marks[prefix+name]
	if before == now {
		return nil
	}
	if before != "" {
		if err := p.Moved(ctx, Moved{Name: name, Before: before, Now: now}); err != nil {
			return err
		}
	}
	return p.Marks.Put(ctx, lineage.Batch{Marks: map[string]string{prefix + name: now}})
}

// watches says whether a reference is one of those watched.
func (p *Poller) watches(name string) bool {
	for _, n := range p.Names {
		if catalog.FullReference(n) == name {
			return true
		}
	}
	return false
}

// maxHook is how large a webhook's body may be.
const maxHook = 1 << 20

// Handler takes webhooks, as they are posted by Docker Registry ("notifications"), Harbor ("webhooks") and anybody who posts
// {"image": "registry/repository:tag"}. Who calls has to show the token in the header Authorization, as it is or as
// "Bearer TOKEN". Hosts are what the registry calls itself in its webhooks, to what images are called by: registries do not
// always know their own names. References that p does not watch are answered and left alone.
func Handler(p *Poller, token string, hosts map[string]string) (http.Handler, error) {
	if token == "" {
		return nil, errors.New("a webhook without a token could be called by anybody: give it one")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case r.Method != http.MethodPost:
			http.Error(w, "post", http.StatusMethodNotAllowed)
			return
		case subtle.ConstantTimeCompare([]byte(shown), []byte(token)) != 1:
			http.Error(w, "show the token", http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHook))
		if err != nil {
			http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
			return
		}
		names, err := parse(body, hosts)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, name := range names {
			if !p.watches(name) {
				continue
			}
			if err := p.Look(r.Context(), name); err != nil { // whoever calls tries again, and so does the poll
				http.Error(w, "it could not be looked at", http.StatusServiceUnavailable)
				if p.Failed != nil {
					p.Failed(name, err)
				}
				return
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}), nil
}

// hook has the fields of all three forms.
type hook struct {
	// Docker Registry: https://distribution.github.io/distribution/about/notifications/
	Events []struct {
		Action string `json:"action"`
		Target struct {
			Repository string `json:"repository"`
			Tag        string `json:"tag"`
		} `json:"target"`
		Request struct {
			Host string `json:"host"`
		} `json:"request"`
	} `json:"events"`
	// Harbor: https://goharbor.io/docs/2.12.0/working-with-projects/project-configuration/configure-webhooks/
	Type string `json:"type"`
	Data struct {
		Resources []struct {
			URL string `json:"resource_url"`
		} `json:"resources"`
	} `json:"event_data"`
	Image string `json:"image"`
}

// parse returns the references that a webhook names.
func parse(body []byte, hosts map[string]string) ([]string, error) {
	var h hook
	if err := json.Unmarshal(body, &h); err != nil {
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	var names []string
	add := func(name string) {
		if host, rest, ok := strings.Cut(name, "/"); ok && hosts[host] != "" {
			name = hosts[host] + "/" + rest
		}
		names = append(names, catalog.FullReference(name))
	}
	for _, e := range h.Events {
		if e.Action == "push" && e.Target.Tag != "" {
			add(e.Request.Host + "/" + e.Target.Repository + ":" + e.Target.Tag)
		}
	}
	if h.Type == "PUSH_ARTIFACT" {
		for _, r := range h.Data.Resources {
			add(r.URL)
		}
	}
	if h.Image != "" {
		add(h.Image)
	}
	if names == nil && h.Events == nil && h.Type == "" {
		return nil, errors.New(`it is neither a notification of Docker Registry nor a webhook of Harbor, nor {"image": "..."}`)
	}
	return names, nil
}
