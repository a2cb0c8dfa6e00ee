// Package dockerauthz is an authorization plugin for the Docker daemon: it is asked about each API call, and lets those
// start instances that a gate lets start. Beside it stands [Watcher], which ends what started all the same.
//
//	plugin := dockerauthz.New(gate, engine, dockerauthz.Options{})
//	listener, err := dockerauthz.Listen(dockerauthz.DefaultSocket)
//	err = plugin.Serve(ctx, listener)
//
// and the daemon is told with "authorization-plugins": ["plimsoll"] in /etc/docker/daemon.json. A daemon whose plugin does
// not answer denies everything.
//
// It is advisory: whoever holds the daemon's socket is root on the machine, and can mount the host's file system, enter
// its namespaces or stop the plugin. It holds the line for those who only run images. For anything stronger do not give
// out the socket: use package run, or Kubernetes with packages webhook and nri.
//
// The protocol is https://docs.docker.com/engine/extend/plugins_authorization/. What it is known to get wrong is denied
// here: a call that comes without its body (CVE-2024-41110), also because that was larger than 1 MiB (CVE-2026-34040).
// Creating is judged by the image's name, as it is asked for, and starting again by the id that the container was made of,
// so a tag that moves in between changes nothing.
package dockerauthz

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
)

// DefaultSocket is where the daemon looks for a plugin named "plimsoll".
const DefaultSocket = "/run/docker/plugins/plimsoll.sock"

// Engine is the daemon that the plugin is for. [*docker.Engine] is one. Its own calls come through the plugin too.
type Engine interface {
	Image(ctx context.Context, ref string) (docker.Local, error)
	Container(ctx context.Context, id string) (admission.Instance, error)
}

// Options of a plugin. The zero value is the strict one.
type Options struct {
	// Plugins lets Docker plugins be installed and enabled. They are images that run as root, which no gate has judged.
	Plugins bool
	// NoBuilds denies builds, which run what a definition says without being asked about.
	NoBuilds bool
	// Log receives denials and what can't be understood. Nil discards.
	Log *slog.Logger
}

// Plugin answers the daemon. It is safe for concurrent use.
type Plugin struct {
	gate   *admission.Gate
	engine Engine
	opts   Options
}

// New returns a plugin.
func New(gate *admission.Gate, engine Engine, opts Options) *Plugin {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Plugin{gate: gate, engine: engine, opts: opts}
}

// request is what the daemon sends; see pkg/authorization/api.go of moby.
type request struct {
	User           string            `json:"User"`
	RequestMethod  string            `json:"RequestMethod"`
	RequestURI     string            `json:"RequestURI"`
	RequestBody    []byte            `json:"RequestBody"`
	RequestHeaders map[string]string `json:"RequestHeaders"`
}

// response is what it wants back.
type response struct {
	Allow bool   `json:"Allow"`
	Msg   string `json:"Msg,omitempty"`
	Err   string `json:"Err,omitempty"`
}

// maxRequest is above what the daemon sends: a body of 1 MiB in base64, and headers.
const maxRequest = 8 << 20

// ServeHTTP answers one question of the daemon.
func (p *Plugin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/Plugin.Activate":
		p.answer(w, map[string][]string{"Implements": {"authz"}})
	case "/AuthZPlugin.AuthZReq":
		p.answer(w, p.request(r))
	case "/AuthZPlugin.AuthZRes":
		p.answer(w, response{Allow: true}) // what was allowed to be asked may be answered
	default:
		http.NotFound(w, r)
	}
}

func (p *Plugin) answer(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/vnd.docker.plugins.v1.2+json")
	if err := json.NewEncoder(w).Encode(what); err != nil {
		p.opts.Log.Warn("the daemon did not take the answer", "error", err)
	}
}

func (p *Plugin) request(r *http.Request) response {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err == nil && len(body) > maxRequest {
		err = fmt.Errorf("more than %d bytes", maxRequest)
	}
	var q request
	if err == nil {
		err = json.Unmarshal(body, &q)
	}
	if err == nil {
		err = p.judge(r.Context(), q)
	} else {
		err = p.refuse(r.Context(), "the daemon's question", err)
	}
	if err != nil {
		p.opts.Log.Warn("denied", "method", q.RequestMethod, "uri", q.RequestURI, "user", q.User, "reason", err)
		return response{Msg: "plimsoll: " + err.Error()}
	}
	return response{Allow: true}
}

// judge returns why a call is denied.
func (p *Plugin) judge(ctx context.Context, q request) error {
	act, arg, err := route(q.RequestMethod, q.RequestURI)
	if err != nil {
		return p.refuse(ctx, q.RequestURI, err)
	}
	switch act {
	case actNone:
		return nil
	case actCreate:
		return p.create(ctx, q)
	case actStart:
		instance, err := p.engine.Container(ctx, arg)
		if errors.Is(err, docker.ErrNotFound) {
			return nil // the daemon will say so
		}
		if err != nil {
			return p.refuse(ctx, arg, err)
		}
		return p.gate.Decide(ctx, instance.Image).Err()
	case actService:
		return p.service(ctx, q)
	case actPlugin:
		if p.opts.Plugins {
			return nil
		}
		return p.refuse(ctx, q.RequestURI, errors.New("Docker plugins are images that no gate has judged")) //nolint:staticcheck // a name
	case actBuild:
		if !p.opts.NoBuilds {
			return nil
		}
		return p.refuse(ctx, q.RequestURI, errors.New("builds are not allowed here: have the build service do it"))
	}
	return p.refuse(ctx, q.RequestURI, fmt.Errorf("a %s to this path is not known to this version, and may start something", q.RequestMethod))
}

func (p *Plugin) refuse(ctx context.Context, what string, err error) error {
	return p.gate.Refuse(ctx, what, admission.RuleRequest, "", err).Err()
}

// body reads what was sent along with a call that can't do without.
func body(q request, into any) error {
	if len(bytes.TrimSpace(q.RequestBody)) == 0 {
		return errors.New("the daemon passed no body on (Docker leaves out empty ones, those above 1 MiB, and those that are not JSON), so what it would start can't be seen")
	}
	dec := json.NewDecoder(bytes.NewReader(q.RequestBody)) // as the daemon decodes it: names in any case, the last one counts
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("the body: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body has something behind its JSON")
	}
	return nil
}

func (p *Plugin) create(ctx context.Context, q request) error {
	var config struct {
		Image      string
		HostConfig struct {
			Mounts []struct{ Type, Source string }
		}
	}
	if err := body(q, &config); err != nil {
		return p.refuse(ctx, "a container", err)
	}
	images := []string{config.Image}
	for _, m := range config.HostConfig.Mounts {
		if m.Type == "image" {
			images = append(images, m.Source)
		}
	}
	for _, ref := range images {
		if err := p.image(ctx, ref, false); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plugin) service(ctx context.Context, q request) error {
	var spec struct {
		TaskTemplate struct {
			ContainerSpec *struct {
				Image  string
				Mounts []struct{ Type, Source string }
			}
			PluginSpec json.RawMessage
		}
	}
	if err := body(q, &spec); err != nil {
		return p.refuse(ctx, "a service", err)
	}
	if len(spec.TaskTemplate.PluginSpec) > 0 && string(spec.TaskTemplate.PluginSpec) != "null" && !p.opts.Plugins {
		return p.refuse(ctx, "a service", errors.New("it runs a Docker plugin, an image that no gate has judged"))
	}
	container := spec.TaskTemplate.ContainerSpec
	if container == nil {
		return nil
	}
	images := []string{container.Image}
	for _, m := range container.Mounts {
		if m.Type == "image" {
			images = append(images, m.Source)
		}
	}
	for _, ref := range images {
		if err := p.image(ctx, ref, true); err != nil {
			return err
		}
	}
	return nil
}

// image judges by a name. One that is not here is nothing that could start here: the daemon says so, and what is pulled
// then is judged by the next call. A service may start elsewhere, so there its digest decides.
func (p *Plugin) image(ctx context.Context, ref string, elsewhere bool) error {
	if ref == "" {
		return p.refuse(ctx, "a container", errors.New("it names no image"))
	}
	here, err := p.engine.Image(ctx, ref)
	switch {
	case errors.Is(err, docker.ErrNotFound) && !elsewhere:
		return nil
	case errors.Is(err, docker.ErrNotFound):
		if here.Image, err = byDigest(ref); err != nil {
			return p.refuse(ctx, ref, err)
		}
	case err != nil:
		return p.refuse(ctx, ref, err)
	}
	here.Image.Ref = ref
	return p.gate.Decide(ctx, here.Image).Err()
}
