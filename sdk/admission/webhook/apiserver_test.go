package webhook_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/internal/enginetest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/webhook"
)

var record = flag.Bool("record", false, "TestAPIServer writes what the API server asks to testdata/reviews")

// recorder keeps what the API server sends, by the name of the step that caused it.
type recorder struct {
	hook http.Handler

	mu   sync.Mutex
	step string
	seen map[string][]byte
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.seen[r.step+"."+strings.Trim(q.URL.Path, "/")] = body
	r.mu.Unlock()
	q.Body = io.NopCloser(bytes.NewReader(body))
	r.hook.ServeHTTP(w, q)
}

// cluster is an API server with the webhook as the manifests of examples/kubernetes register it.
type cluster struct {
	*enginetest.Kubernetes
	recorder *recorder
	server   *http.Server
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{Kubernetes: enginetest.StartKubernetes(t)}
	_, gate := newGate()
	c.recorder = &recorder{hook: webhook.New(gate, resolver, webhook.Options{Exempt: []string{"plimsoll-system"}}), seen: map[string][]byte{}}
	issued, err := webhook.Issue([]string{"127.0.0.1"}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(issued.Cert, issued.Key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(c.recorder)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	c.server = server.Config
	for _, config := range webhookConfigs(t) {
		path := map[string]string{"MutatingWebhookConfiguration": "/mutate", "ValidatingWebhookConfiguration": "/validate"}[config.Kind]
		for _, hook := range config.Webhooks {
			hook["clientConfig"] = map[string]any{"url": server.URL + path, "caBundle": issued.CA}
		}
		if code, answer := c.Do(http.MethodPost, "/apis/admissionregistration.k8s.io/v1/"+strings.ToLower(config.Kind)+"s", config); code != http.StatusCreated {
			t.Fatal(code, answer)
		}
	}
	// The API server hears of its configuration a moment later.
	enginetest.Eventually(t, "the webhook is asked", func() bool {
		code, _ := c.pod("DRY-RUN", "probe", containers(badRef))
		return code == http.StatusForbidden
	})
	return c
}

// webhookConfig is an object that registers webhooks.
type webhookConfig struct {
	APIVersion string           `yaml:"apiVersion" json:"apiVersion"`
	Kind       string           `yaml:"kind"       json:"kind"`
	Metadata   map[string]any   `yaml:"metadata"   json:"metadata"`
	Webhooks   []map[string]any `yaml:"webhooks"   json:"webhooks"`
}

// webhookConfigs are those of examples/kubernetes.
func webhookConfigs(t *testing.T) []webhookConfig {
	t.Helper()
	src, err := os.ReadFile("../../../examples/kubernetes/plimsoll.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var configs []webhookConfig
	for dec := yaml.NewDecoder(bytes.NewReader(src)); ; {
		var object webhookConfig
		err := dec.Decode(&object)
		if errors.Is(err, io.EOF) {
			return configs
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(object.Kind, "WebhookConfiguration") {
			configs = append(configs, object)
		}
	}
}

func podObject(name, spec string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q},"spec":%s}`, name, spec))
}

// pod creates one, or only asks whether it might be created (DRY-RUN).
func (c *cluster) pod(how, name, spec string) (int, string) {
	path := "/api/v1/namespaces/default/pods"
	if how == "DRY-RUN" {
		path += "?dryRun=All"
	}
	return c.Do(http.MethodPost, path, podObject(name, spec))
}

func (c *cluster) step(name string) {
	c.recorder.mu.Lock()
	defer c.recorder.mu.Unlock()
	c.recorder.step = name
}

// The API server asks as the manifests have it, and does what it is told. Needs kube-apiserver, etcd and kubectl.
func TestAPIServer(t *testing.T) {
	c := newCluster(t)
	const volume = `"volumes":[{"name":"v","image":{"reference":"` + "%s" + `"}}]`
	steps := []struct {
		name, method, path string
		object             json.RawMessage
		want               int
		message            string
	}{
		{"good", http.MethodPost, "/api/v1/namespaces/default/pods", podObject("good", containers(goodRef)), http.StatusCreated, ""},
		{"bad", http.MethodPost, "/api/v1/namespaces/default/pods", podObject("bad", containers(badRef)), http.StatusForbidden, "BAN-7"},
		{"tag", http.MethodPost, "/api/v1/namespaces/default/pods", podObject("tag", containers("registry.example/good:1")), http.StatusCreated, "registry.example/good:1@" + good},
		{"tag-of-bad", http.MethodPost, "/api/v1/namespaces/default/pods", podObject("tag-of-bad", containers("registry.example/bad:1")), http.StatusForbidden, "BAN-7"},
		{
			"init-container", http.MethodPost, "/api/v1/namespaces/default/pods",
			podObject("init", `{"initContainers":[{"name":"i","image":"`+badRef+`"}],"containers":[{"name":"c","image":"`+goodRef+`"}]}`), http.StatusForbidden, "BAN-7",
		},
		{
			"image-volume", http.MethodPost, "/api/v1/namespaces/default/pods",
			podObject("volume", `{"containers":[{"name":"c","image":"`+goodRef+`"}],`+fmt.Sprintf(volume, badRef)+`}`), http.StatusForbidden, "BAN-7",
		},
		{
			"ephemeral-container", http.MethodPatch, "/api/v1/namespaces/default/pods/good/ephemeralcontainers",
			json.RawMessage(`{"spec":{"ephemeralContainers":[{"name":"debug","image":"` + badRef + `"}]}}`), http.StatusForbidden, "BAN-7",
		},
		{"label", http.MethodPatch, "/api/v1/namespaces/default/pods/good", json.RawMessage(`{"metadata":{"labels":{"a":"b"}}}`), http.StatusOK, ""},
		{
			"update-to-bad", http.MethodPatch, "/api/v1/namespaces/default/pods/good",
			json.RawMessage(`{"spec":{"containers":[{"name":"c0","image":"` + badRef + `"}]}}`), http.StatusForbidden, "BAN-7",
		},
		{"delete", http.MethodDelete, "/api/v1/namespaces/default/pods/good?gracePeriodSeconds=0", nil, http.StatusOK, ""},
	}
	for _, step := range steps {
		c.step(step.name)
		var object any
		if step.object != nil {
			object = step.object
		}
		code, answer := c.Do(step.method, step.path, object)
		if code != step.want || !strings.Contains(answer, step.message) {
			t.Errorf("%s: %d %s, want %d with %q", step.name, code, answer, step.want, step.message)
		}
	}
	c.step("kubectl")
	if out, err := c.Kubectl(string(podObject("by-kubectl", containers(badRef))), "apply", "-f", "-"); err == nil || !strings.Contains(out, "build on base/debian:12.9") {
		t.Errorf("kubectl apply: %v, %s", err, out)
	}
	if *record {
		c.write(t)
	}
	// Nobody gets in while the webhook is away.
	if err := c.server.Close(); err != nil {
		t.Fatal(err)
	}
	if code, answer := c.pod("", "orphan", containers(goodRef)); code != http.StatusInternalServerError || !strings.Contains(answer, "failed calling webhook") {
		t.Errorf("without the webhook: %d %s", code, answer)
	}
}

func (c *cluster) write(t *testing.T) {
	t.Helper()
	c.recorder.mu.Lock()
	defer c.recorder.mu.Unlock()
	for name, body := range c.recorder.seen {
		if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "kubectl") {
			continue
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
		if err := os.WriteFile(filepath.Join("testdata", "reviews", name+".json"), pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What a real API server (1.37) asked is asked again, where there is none.
func TestRecordedReviews(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "reviews", "*.json"))
	if err != nil || len(files) < 18 {
		t.Fatalf("%d reviews, %v", len(files), err)
	}
	_, gate := newGate()
	hook := webhook.New(gate, resolver, webhook.Options{})
	for _, file := range files {
		step, path, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), ".")
		t.Run(step+" "+path, func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			code, answer := ask(t, hook, "/"+path, string(body))
			if code != http.StatusOK {
				t.Fatal(code)
			}
			starts := map[string]bool{"good": true, "tag": true, "label": true}[step]
			if path == "mutate" { // which denies nothing, and pins what is named by a tag
				if pins := strings.HasPrefix(step, "tag"); !answer.Allowed || (len(answer.Patch) > 0) != pins {
					t.Errorf("allowed %v, patch %s", answer.Allowed, answer.Patch)
				}
				return
			}
			if answer.Allowed != starts || !starts && !strings.Contains(answer.Status.Message, "BAN-7") {
				t.Errorf("allowed %v, %+v", answer.Allowed, answer.Status)
			}
		})
	}
}
