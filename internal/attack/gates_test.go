package attack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/containerd/nri/pkg/api"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/dockerauthz"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/nri"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/run"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/sweep"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/verifier"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/webhook"
)

// start is an image on its way into a container, as the different places see it.
type start struct {
	ref      string   // what was asked for
	manifest string   // what the registry calls it, "" for an image that was never in one
	config   string   // what Docker calls it
	index    string   // what it was pulled by, if that was an index
	layers   []string // diff IDs, where the place can read them
	offline  bool     // the registry does not answer
}

// local is the image as a Docker daemon has it.
func (s start) local() docker.Local {
	l := docker.Local{ID: s.config, Image: admission.Image{Ref: s.ref, Digests: []string{s.config}, Layers: s.layers}}
	named := s.manifest
	if s.index != "" {
		named = s.index
		l.Image.Indexes = []string{s.index}
	} else if s.manifest != "" {
		l.Image.Digests = append(l.Image.Digests, s.manifest)
	}
	if named != "" {
		l.Pinned = []string{repository(s.ref) + "@" + named}
	}
	return l
}

func repository(ref string) string {
	name, _, _ := strings.Cut(ref, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name = name[:i]
	}
	return name
}

// pinned is the image named by its digest.
func (s start) pinned() string {
	digest := s.manifest
	if s.index != "" {
		digest = s.index
	}
	return repository(s.ref) + "@" + digest
}

// world is a daemon that has the image, and a registry.
type world struct{ start }

func (w world) Image(context.Context, string) (docker.Local, error) { return w.local(), nil }

func (w world) Container(_ context.Context, id string) (admission.Instance, error) {
	return admission.Instance{ID: id, Image: w.local().Image}, nil
}

func (w world) Resolve(context.Context, string, string) (admission.Image, string, error) {
	if w.offline {
		return admission.Image{}, "", errors.New("the registry does not answer")
	}
	return admission.Image{Ref: w.ref, Digests: []string{w.manifest}}, w.pinned(), nil
}

func (w world) Instances(context.Context) ([]admission.Instance, error) {
	return []admission.Instance{{Place: "docker://host", Name: "pay", Image: w.local().Image}}, nil
}

// verdict is a gate's answer in its own words; "" lets the image start.
type verdict string

// gate is a place where it is asked, just before start.
type gate struct {
	name string
	// blind says why this place can't meet a start, or "".
	blind func(s start) string
	ask   func(t *testing.T, g *admission.Gate, s start) verdict
}

func sees(start) string { return "" }

// fromRegistry is for places that know images by what registries call them.
func fromRegistry(s start) string {
	if s.manifest == "" {
		return "knows images of registries only"
	}
	return ""
}

var gates = []gate{
	{"docker run wrapper", sees, func(t *testing.T, g *admission.Gate, s start) verdict {
		w := run.Wrapper{Dialect: run.Docker, Gate: g, Local: world{s}, Remote: world{s}}
		if _, err := w.Prepare(t.Context(), []string{"--rm", s.ref}); err != nil {
			return verdict(err.Error())
		}
		return ""
	}},
	{"docker create (authz)", sees, func(t *testing.T, g *admission.Gate, s start) verdict {
		return authz(t, g, s, "/v1.47/containers/create", fmt.Sprintf(`{"Image":%q}`, s.ref))
	}},
	{"docker start (authz)", sees, func(t *testing.T, g *admission.Gate, s start) verdict {
		return authz(t, g, s, "/v1.47/containers/pay/start", "")
	}},
	{"docker image mount (authz)", sees, func(t *testing.T, g *admission.Gate, s start) verdict {
		return authz(t, g, s, "/v1.47/containers/create", fmt.Sprintf(`{"Image":%q,"HostConfig":{"Mounts":[{"Type":"image","Source":%q,"Target":"/x"}]}}`, s.ref, s.ref))
	}},
	{"containerd (NRI)", sees, func(t *testing.T, g *admission.Gate, s start) verdict {
		digest := s.manifest
		if s.index != "" {
			digest = s.index
		}
		c := &api.Container{Id: "1", Name: "app", Image: &api.Image{Name: s.ref, Digest: digest, ConfigDigest: s.config}}
		if _, _, err := nri.New(g, nri.Options{}).CreateContainer(t.Context(), &api.PodSandbox{Namespace: "shop"}, c); err != nil {
			return verdict(err.Error())
		}
		return ""
	}},
	{"containerd pull (verifier)", fromRegistry, func(t *testing.T, g *admission.Gate, s start) verdict {
		_, digest, _ := strings.Cut(s.pinned(), "@")
		var out bytes.Buffer
		if verifier.Run(t.Context(), g, []string{"-name", s.ref, "-digest", digest, "-stdin-media-type", "application/vnd.oci.descriptor.v1+json"}, &out) != 0 {
			return verdict(out.String())
		}
		return ""
	}},
	pods("container", `{"containers":[{"name":"c","image":%q}]}`),
	pods("init container", `{"initContainers":[{"name":"i","image":%q}],"containers":[]}`),
	pods("ephemeral container", `{"containers":[],"ephemeralContainers":[{"name":"e","image":%q}]}`),
	pods("image volume", `{"containers":[],"volumes":[{"name":"v","image":{"reference":%q}}]}`),
	{"sweep", sees, func(t *testing.T, g *admission.Gate, s start) verdict {
		report, err := sweep.Sweep(t.Context(), g, world{s})
		if err != nil {
			return verdict(err.Error())
		}
		if report.Denied > 0 {
			return verdict(fmt.Sprint(report.Instances[0].Decision))
		}
		return ""
	}},
}

// pods is the webhook, asked about a pod that names the image by its digest: a tag is never let through.
func pods(where, spec string) gate {
	return gate{"pod's " + where + " (webhook)", fromRegistry, func(t *testing.T, g *admission.Gate, s start) verdict {
		pod := fmt.Sprintf(spec, s.pinned())
		body := `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","namespace":"shop","resource":{"version":"v1","resource":"pods"},"object":{"kind":"Pod","apiVersion":"v1","spec":` + pod + `}}}`
		w := httptest.NewRecorder()
		webhook.New(g, nil, webhook.Options{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/validate", strings.NewReader(body)))
		var answer webhook.Review
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if !answer.Response.Allowed {
			return verdict(answer.Response.Status.Message)
		}
		return ""
	}}
}

func authz(t *testing.T, g *admission.Gate, s start, uri, body string) verdict {
	t.Helper()
	q, err := json.Marshal(map[string]any{"RequestMethod": "POST", "RequestURI": uri, "RequestBody": []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	plugin := dockerauthz.New(g, world{s}, dockerauthz.Options{})
	plugin.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/AuthZPlugin.AuthZReq", bytes.NewReader(q)))
	var answer struct {
		Allow bool
		Msg   string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Allow {
		return ""
	}
	return verdict(answer.Msg)
}
