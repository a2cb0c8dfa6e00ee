package webhook_test

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

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/webhook"
)

var (
	bad     = admissiontest.Digest("bad")
	good    = admissiontest.Digest("good")
	goodRef = "registry.example/good@" + good
	badRef  = "registry.example/bad@" + bad
)

func newGate() (*admissiontest.Deny, *admission.Gate) {
	deny := admissiontest.New("test")
	deny.Ban("BAN-7", "build on base/debian:12.9", bad)
	deny.Know(good)
	return deny, admission.NewGate(admission.Options{Bundles: deny})
}

// tags are what tags mean.
type tags map[string]string

func (t tags) Resolve(_ context.Context, ref, _ string) (admission.Image, string, error) {
	digest, ok := t[ref]
	if !ok {
		return admission.Image{}, "", errors.New("the registry is down")
	}
	name, _, _ := strings.Cut(ref, ":")
	return admission.Image{Ref: ref, Digests: []string{digest}}, name + "@" + digest, nil
}

var resolver = tags{"registry.example/good:1": good, "registry.example/bad:1": bad}

// review is a request about a pod.
func review(operation, spec, old string) string {
	pod := func(spec string) string { return `{"kind":"Pod","apiVersion":"v1","spec":` + spec + `}` }
	request := fmt.Sprintf(`"uid":"1","operation":%q,"namespace":"shop","name":"pay","resource":{"version":"v1","resource":"pods"},"object":%s`, operation, pod(spec))
	if old != "" {
		request += `,"oldObject":` + pod(old)
	}
	return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{` + request + `}}`
}

func containers(refs ...string) string {
	var list []string
	for i, ref := range refs {
		list = append(list, fmt.Sprintf(`{"name":"c%d","image":%q}`, i, ref))
	}
	return `{"containers":[` + strings.Join(list, ",") + `]}`
}

func ask(t testing.TB, h http.Handler, path, body string) (int, *webhook.Response) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
	var answer webhook.Review
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
	}
	return w.Code, answer.Response
}

func Example() {
	_, gate := newGate()
	hook := webhook.New(gate, nil, webhook.Options{})
	body := review("CREATE", containers("registry.example/bad@"+bad), "")
	w := httptest.NewRecorder()
	hook.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/validate", strings.NewReader(body)))
	var answer webhook.Review
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		fmt.Println(err)
	}
	fmt.Println(answer.Response.Allowed, strings.Contains(answer.Response.Status.Message, "banned by BAN-7"))
	// Output: false true
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name, body, want string // part of the message; "" is allowed
		tags             bool
	}{
		{name: "good", body: review("CREATE", containers(goodRef), "")},
		{name: "bad", body: review("CREATE", containers(badRef), ""), want: "BAN-7"},
		{name: "second container", body: review("CREATE", containers(goodRef, badRef), ""), want: "BAN-7"},
		{name: "init container", body: review("CREATE", `{"initContainers":[{"name":"i","image":"`+badRef+`"}],"containers":[{"name":"c","image":"`+goodRef+`"}]}`, ""), want: "BAN-7"},
		{name: "ephemeral container", body: review("UPDATE", `{"containers":[{"name":"c","image":"`+goodRef+`"}],"ephemeralContainers":[{"name":"debug","image":"`+badRef+`"}]}`, containers(goodRef)), want: "BAN-7"},
		{name: "image volume", body: review("CREATE", `{"containers":[{"name":"c","image":"`+goodRef+`"}],"volumes":[{"name":"v","image":{"reference":"`+badRef+`"}}]}`, ""), want: "BAN-7"},
		{name: "tag", body: review("CREATE", containers("registry.example/good:1"), ""), want: "AD1011"},
		{name: "no tag", body: review("CREATE", containers("registry.example/good"), ""), want: "AD1011"},
		{name: "tag that may be", body: review("CREATE", containers("registry.example/good:1"), ""), tags: true},
		{name: "tag of a bad one", body: review("CREATE", containers("registry.example/bad:1"), ""), tags: true, want: "BAN-7"},
		{name: "tag that can't be resolved", body: review("CREATE", containers("registry.example/x:1"), ""), tags: true, want: "AD1005"},
		{name: "tag and the digest of a bad one", body: review("CREATE", containers("registry.example/good:1@"+bad), ""), want: "BAN-7"},
		{name: "the digest in another registry", body: review("CREATE", containers("mirror.example/x/y@"+bad), ""), want: "BAN-7"},
		{name: "digest that nobody knows", body: review("CREATE", containers("registry.example/x@"+admissiontest.Digest("x")), ""), want: "AD1003"},
		{name: "digest that is none", body: review("CREATE", containers("registry.example/x@sha256:1"), ""), want: "AD1005"},
		{name: "digest of another algorithm", body: review("CREATE", containers("registry.example/x@sha512:"+strings.Repeat("0", 128)), ""), want: "AD1005"},
		{name: "no image", body: review("CREATE", containers(""), ""), want: "names no image"},
		{name: "update that brings a bad one", body: review("UPDATE", containers(badRef), containers(goodRef)), want: "BAN-7"},
		{name: "update of a label of a pod whose image is banned by now", body: review("UPDATE", containers(badRef), containers(badRef))},
		{name: "update that moves a bad one to another container", body: review("UPDATE", containers(badRef, badRef), containers(badRef)), want: "BAN-7"},
		{name: "update without the old object", body: strings.Replace(review("UPDATE", containers(badRef), ""), `"oldObject"`, `"x"`, 1), want: "old object"},
		{name: "delete", body: review("DELETE", containers(badRef), "")},
		{name: "connect", body: review("CONNECT", containers(badRef), "")},
		{name: "operation of tomorrow", body: review("CONJURE", containers(goodRef), ""), want: "AD1012"},
		{name: "a deployment", body: strings.Replace(review("CREATE", containers(goodRef), ""), `"resource":"pods"`, `"group":"apps","resource":"deployments"`, 1), want: "judges pods"},
		{name: "pods of another group", body: strings.Replace(review("CREATE", containers(goodRef), ""), `"resource":"pods"`, `"group":"evil","resource":"pods"`, 1), want: "judges pods"},
		{name: "an object that is no pod", body: strings.Replace(review("CREATE", containers(goodRef), ""), `"Pod"`, `"Secret"`, 1), want: "not a pod"},
		{name: "no object", body: `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","resource":{"resource":"pods"}}}`, want: "can't be read"},
		{name: "an unknown subresource", body: strings.Replace(review("UPDATE", containers(goodRef), containers(goodRef)), `"uid"`, `"subResource":"x","uid"`, 1), want: "subresource"},
		{name: "the webhook's own namespace", body: strings.Replace(review("CREATE", containers(badRef), ""), `"shop"`, `"plimsoll-system"`, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, gate := newGate()
			h := webhook.New(gate, resolver, webhook.Options{Tags: tt.tags, Exempt: []string{"plimsoll-system"}})
			code, answer := ask(t, h, "/validate", tt.body)
			if code != http.StatusOK || answer.UID != "1" {
				t.Fatalf("%d, %+v", code, answer)
			}
			if answer.Allowed != (tt.want == "") {
				t.Errorf("allowed %v: %+v", answer.Allowed, answer.Status)
			}
			if tt.want != "" && !strings.Contains(answer.Status.Message, tt.want) {
				t.Errorf("message %q, want %q in it", answer.Status.Message, tt.want)
			}
		})
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	_, gate := newGate()
	h := webhook.New(gate, resolver, webhook.Options{})
	for name, body := range map[string]string{
		"nothing":               "",
		"no JSON":               "{",
		"another version":       strings.Replace(review("CREATE", containers(goodRef), ""), "k8s.io/v1", "k8s.io/v1beta1", 1),
		"a response":            `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"1","allowed":true}}`,
		"no uid":                strings.Replace(review("CREATE", containers(goodRef), ""), `"uid":"1"`, `"uid":""`, 1),
		"20 MB":                 review("CREATE", containers(goodRef+strings.Repeat("x", 20<<20)), ""),
		"cut off in the middle": review("CREATE", containers(goodRef), "")[:150],
	} {
		if code, answer := ask(t, h, "/validate", body); code != http.StatusBadRequest {
			t.Errorf("%s: %d %+v", name, code, answer)
		}
	}
	if code, _ := ask(t, h, "/", ""); code != http.StatusNotFound {
		t.Errorf("another path: %d", code)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", http.NoBody))
	if w.Code != http.StatusOK {
		t.Errorf("healthz: %d", w.Code)
	}
}

func TestGateWithoutABundleDenies(t *testing.T) {
	deny, gate := newGate()
	deny.Fail(errors.New("none"))
	_, answer := ask(t, webhook.New(gate, resolver, webhook.Options{}), "/validate", review("CREATE", containers(goodRef), ""))
	if answer.Allowed {
		t.Error("allowed")
	}
}

func TestMutatePins(t *testing.T) {
	_, gate := newGate()
	h := webhook.New(gate, resolver, webhook.Options{})
	spec := `{"initContainers":[{"name":"i","image":"registry.example/good:1"}],"containers":[{"name":"a","image":"` + goodRef + `"},{"name":"b","image":"registry.example/down:1"}],` +
		`"volumes":[{"name":"x"},{"name":"v","image":{"reference":"registry.example/bad:1"}}]}`
	_, answer := ask(t, h, "/mutate", review("CREATE", spec, ""))
	want := `[{"op":"replace","path":"/spec/initContainers/0/image","value":"registry.example/good:1@` + good + `"},` +
		`{"op":"replace","path":"/spec/volumes/1/image/reference","value":"registry.example/bad:1@` + bad + `"}]`
	if !answer.Allowed || answer.PatchType != "JSONPatch" || string(answer.Patch) != want {
		t.Errorf("patch %s", answer.Patch)
	}
	if len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "down:1") {
		t.Errorf("warnings %q", answer.Warnings)
	}
	// What is pinned already, and what can't be read, is left to validation.
	for _, body := range []string{
		review("CREATE", containers(goodRef), ""),
		review("UPDATE", containers("registry.example/good:1"), containers("registry.example/good:1")),
		strings.Replace(review("CREATE", containers(goodRef), ""), `"Pod"`, `"Secret"`, 1),
	} {
		if _, answer := ask(t, h, "/mutate", body); !answer.Allowed || answer.Patch != nil {
			t.Errorf("%s: %+v", body, answer)
		}
	}
}

func FuzzReview(f *testing.F) {
	f.Add([]byte(review("CREATE", containers(goodRef), "")))
	f.Add([]byte(review("UPDATE", containers(badRef), containers(goodRef))))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1"}}`))
	_, gate := newGate()
	h := webhook.New(gate, resolver, webhook.Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := webhook.Decode(bytes.NewReader(body))
		if err != nil {
			return
		}
		v, m := h.Validate(t.Context(), r.Request), h.Mutate(t.Context(), r.Request)
		if v.UID != r.Request.UID || v.Allowed == (v.Status != nil) || !m.Allowed {
			t.Errorf("%+v, %+v", v, m)
		}
		if v.Allowed && r.Request.Operation == "CREATE" && bytes.Contains(r.Request.Object, []byte(`"image":"`+badRef+`"`)) &&
			bytes.HasPrefix(r.Request.Object, []byte(`{"kind":"Pod","apiVersion":"v1","spec":{"containers":[`)) {
			t.Errorf("a banned image was let in by %s", body)
		}
	})
}
