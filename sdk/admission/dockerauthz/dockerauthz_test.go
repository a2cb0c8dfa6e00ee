package dockerauthz_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/dockerauthz"
)

var (
	bad  = admissiontest.Digest("bad")
	good = admissiontest.Digest("good")
)

func newGate() *admission.Gate {
	deny := admissiontest.New("test")
	deny.Ban("BAN-7", "build on base/debian:12.9", bad)
	deny.Know(good)
	return admission.NewGate(admission.Options{Bundles: deny})
}

// engine has two images, and a container of each with its name.
type engine struct{ err error }

func (e engine) Image(_ context.Context, ref string) (docker.Local, error) {
	digest, ok := map[string]string{"good:1": good, "bad:1": bad}[ref]
	if !ok && e.err == nil {
		e.err = docker.ErrNotFound
	}
	return docker.Local{ID: digest, Image: admission.Image{Ref: ref, Digests: []string{digest}}}, e.err
}

func (e engine) Container(ctx context.Context, id string) (admission.Instance, error) {
	l, err := e.Image(ctx, id+":1")
	return admission.Instance{ID: id, Image: l.Image}, err
}

type question struct {
	RequestMethod, RequestURI string
	RequestBody               []byte `json:",omitempty"`
}

func ask(t testing.TB, h http.Handler, q any) (allow bool, message string) {
	t.Helper()
	body, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/AuthZPlugin.AuthZReq", strings.NewReader(string(body))))
	var answer struct {
		Allow bool
		Msg   string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Allow, answer.Msg
}

func Example() {
	plugin := dockerauthz.New(newGate(), engine{}, dockerauthz.Options{})
	server := httptest.NewServer(plugin)
	defer server.Close()
	body := `{"RequestMethod":"POST","RequestURI":"/v1.41/containers/bad/start"}`
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL+"/AuthZPlugin.AuthZReq", strings.NewReader(body))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var answer struct{ Allow bool }
	fmt.Println(json.NewDecoder(resp.Body).Decode(&answer), answer.Allow)
	// Output: <nil> false
}

func TestCalls(t *testing.T) {
	create := func(image string) string { return `{"Image":"` + image + `"}` }
	tests := []struct {
		method, uri, body string
		want              string // "" is allowed
	}{
		{"POST", "/v1.41/containers/create", create("good:1"), ""},
		{"POST", "/v1.41/containers/create?name=x", create("bad:1"), "BAN-7"},
		{"POST", "/containers/create", create("bad:1"), "BAN-7"},
		{"POST", "/v1.41//containers/create", create("bad:1"), "BAN-7"},
		{"POST", "/v1.41/./containers/../containers/create", create("bad:1"), "BAN-7"},
		{"POST", "/v1.41/%63ontainers/create", create("bad:1"), "BAN-7"},
		{"POST", "/v1.41/containers/create/", create("bad:1"), "BAN-7"},
		{"POST", "/v1.41/containers/create", create("not-here:1"), ""}, // the daemon says so
		{"POST", "/v1.41/containers/create", "", "no body"},
		{"POST", "/v1.41/containers/create", "  \n", "no body"},
		{"POST", "/v1.41/containers/create", "{", "the body"},
		{"POST", "/v1.41/containers/create", "{}", "names no image"},
		{"POST", "/v1.41/containers/create", create("good:1") + create("bad:1"), "behind its JSON"},
		{"POST", "/v1.41/containers/create", `{"Image":"good:1","image":"bad:1"}`, "BAN-7"},
		{"POST", "/v1.41/containers/create", `{"Image":"good:1","HostConfig":{"Mounts":[{"Type":"image","Source":"bad:1"}]}}`, "BAN-7"},
		{"POST", "/v1.41/containers/create", `{"Image":"good:1","HostConfig":{"Mounts":[{"Type":"bind","Source":"/"}]}}`, ""},
		{"POST", "/v1.41/containers/good/start", "", ""},
		{"POST", "/v1.41/containers/bad/start", "", "BAN-7"},
		{"POST", "/v1.41/containers/bad/start?checkpoint=c", "", "BAN-7"},
		{"POST", "/v1.41/containers/bad/restart", "", "BAN-7"},
		{"POST", "/v1.41/containers/bad/unpause", "", "BAN-7"},
		{"POST", "/v1.41/containers/bad/stop", "", ""},
		{"POST", "/v1.41/containers/bad/kill", "", ""},
		{"DELETE", "/v1.41/containers/bad", "", ""},
		{"GET", "/v1.41/images/bad:1/json", "", ""},
		{"POST", "/v1.41/images/create?fromImage=x", "", ""},
		{"POST", "/v1.41/images/registry.example:5000/a/b/push", "", ""},
		{"POST", "/v1.41/build", "", ""},
		{"POST", "/v1.41/services/create", `{"TaskTemplate":{"ContainerSpec":{"Image":"bad:1"}}}`, "BAN-7"},
		{"POST", "/v1.41/services/x/update?version=1", `{"TaskTemplate":{"ContainerSpec":{"Image":"registry.example/x@` + bad + `"}}}`, "BAN-7"},
		{"POST", "/v1.41/services/create", `{"TaskTemplate":{"ContainerSpec":{"Image":"not-here:1"}}}`, "name it by digest"},
		{"POST", "/v1.41/services/create", `{"TaskTemplate":{"ContainerSpec":{"Image":"x@` + good + `"}}}`, ""},
		{"POST", "/v1.41/services/create", `{"TaskTemplate":{"PluginSpec":{"Remote":"evil"}}}`, "plugin"},
		{"POST", "/v1.41/services/create", "", "no body"},
		{"POST", "/v1.41/plugins/pull?remote=evil", `[]`, "plugins are images"},
		{"POST", "/v1.41/plugins/evil/enable", "", "plugins are images"},
		{"POST", "/v1.41/plugins/evil/disable", "", ""},
		{"POST", "/v1.99/containers/bad/conjure", "", "not known"},
		{"PUT", "/v1.41/containers/bad/archive?path=/", "", ""},
		{"PATCH", "/v1.41/containers/good", "", "not known"},
		{"POST", "not a path", "", "can't be read"},
		{"", "", "", "can't be read"},
	}
	plugin := dockerauthz.New(newGate(), engine{}, dockerauthz.Options{})
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.uri+" "+tt.body, func(t *testing.T) {
			allow, message := ask(t, plugin, question{tt.method, tt.uri, []byte(tt.body)})
			if allow != (tt.want == "") || !strings.Contains(message, tt.want) {
				t.Errorf("allow %v, %q; want %q", allow, message, tt.want)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	plugin := dockerauthz.New(newGate(), engine{}, dockerauthz.Options{Plugins: true, NoBuilds: true})
	for uri, want := range map[string]bool{"/plugins/pull": true, "/v1.41/build": false, "/v1.41/grpc": false} {
		if allow, message := ask(t, plugin, question{"POST", uri, nil}); allow != want {
			t.Errorf("%s: %v %s", uri, allow, message)
		}
	}
}

func TestErrorsDeny(t *testing.T) {
	plugin := dockerauthz.New(newGate(), engine{errors.New("the daemon is busy")}, dockerauthz.Options{})
	for _, q := range []any{
		question{"POST", "/containers/create", []byte(`{"Image":"good:1"}`)},
		question{"POST", "/containers/good/start", nil},
		"what?",
		map[string]any{"RequestBody": 7},
	} {
		if allow, message := ask(t, plugin, q); allow || message == "" {
			t.Errorf("%v: %v %q", q, allow, message)
		}
	}
}

func TestProtocol(t *testing.T) {
	plugin := dockerauthz.New(newGate(), engine{}, dockerauthz.Options{})
	post := func(path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		plugin.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
		return w
	}
	if w := post("/Plugin.Activate", ""); w.Body.String() != `{"Implements":["authz"]}`+"\n" {
		t.Error(w.Body)
	}
	if w := post("/AuthZPlugin.AuthZRes", "{}"); w.Body.String() != `{"Allow":true}`+"\n" {
		t.Error(w.Body)
	}
	if w := post("/AuthZPlugin.AuthZReq", strings.Repeat(" ", 9<<20)); strings.Contains(w.Body.String(), `"Allow":true`) {
		t.Error(w.Body)
	}
	if w := post("/x", ""); w.Code != http.StatusNotFound {
		t.Error(w.Code)
	}
}

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plugins", "p.sock")
	first, err := dockerauthz.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := dockerauthz.Listen(path); err == nil {
		t.Error("two on one socket")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := dockerauthz.New(newGate(), engine{}, dockerauthz.Options{}).Serve(ctx, first); err != nil {
		t.Error(err)
	}
	second, err := dockerauthz.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = second.Close()
}

func FuzzRequest(f *testing.F) {
	f.Add("POST", "/v1.41/containers/create", []byte(`{"Image":"bad:1"}`))
	f.Add("POST", "/v1.41/services/create", []byte(`{"TaskTemplate":{"ContainerSpec":{"Image":"bad:1"}}}`))
	f.Add("POST", "/v1.41/containers/bad/start", []byte(nil))
	plugin := dockerauthz.New(newGate(), engine{}, dockerauthz.Options{})
	f.Fuzz(func(t *testing.T, method, uri string, body []byte) {
		allow, _ := ask(t, plugin, question{method, uri, body})
		var config struct{ Image string }
		if err := json.Unmarshal(body, &config); err == nil && allow && config.Image == "bad:1" && method == "POST" && strings.HasSuffix(strings.TrimSuffix(uri, "/"), "/containers/create") {
			t.Errorf("%s %s %s was allowed", method, uri, body)
		}
	})
}
