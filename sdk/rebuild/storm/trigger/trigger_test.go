package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/trigger"
)

type tags map[string]string

func (t tags) Resolve(_ context.Context, ref string) (string, error) {
	if t[ref] == "" {
		return "", errors.New("not found")
	}
	return t[ref], nil
}

const debian = "docker.io/library/debian:12"

func poller(now tags) (*trigger.Poller, *[]trigger.Moved) {
	var moved []trigger.Moved
	return &trigger.Poller{
		Registry: now, Names: []string{"debian:12", "registry.example/base:1"}, Marks: lineage.NewMemory(),
		Moved: func(_ context.Context, m trigger.Moved) error { moved = append(moved, m); return nil },
	}, &moved
}

// Each webhook is a hint to look: what counts is what the registry says.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"docker registry": `{"events":[{"action":"pull","target":{"repository":"library/debian","tag":"11"}},
			{"action":"push","target":{"repository":"library/debian","tag":"12","digest":"sha256:lie"},"request":{"host":"inside:5000"}}]}`,
		"harbor":  `{"type":"PUSH_ARTIFACT","event_data":{"resources":[{"tag":"12","resource_url":"inside:5000/library/debian:12"}]}}`,
		"generic": `{"image":"debian:12"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := tags{debian: "sha256:old"}
			p, moved := poller(now)
			if err := p.Look(t.Context(), "debian:12"); err != nil || len(*moved) > 0 {
				t.Fatal(err, moved)
			}
			now[debian] = "sha256:new"
			h, err := trigger.Handler(p, "secret", map[string]string{"inside:5000": "docker.io"})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second changes nothing
				if got := post(t, h, "Bearer secret", body); got != http.StatusNoContent {
					t.Errorf("answered %d", got)
				}
			}
			if diff := cmp.Diff([]trigger.Moved{{Name: debian, Before: "sha256:old", Now: "sha256:new"}}, *moved); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func post(t *testing.T, h http.Handler, authorization, body string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Authorization", authorization)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestBadWebhooks(t *testing.T) {
	t.Parallel()
	p, moved := poller(tags{})
	h, err := trigger.Handler(p, "secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		authorization, body string
		want                int
	}{
		"without token":  {"", `{"image":"debian:12"}`, 401},
		"another token":  {"Bearer guess", `{"image":"debian:12"}`, 401},
		"no JSON":        {"secret", `<xml>`, 400},
		"something else": {"secret", `{"hello":1}`, 400},
		"not watched":    {"secret", `{"image":"debian:11"}`, 204},
		"not there":      {"secret", `{"image":"debian:12"}`, 503},
		"too large":      {"secret", `{"image":"` + strings.Repeat("a", 2<<20) + `"}`, 413},
	} {
		if got := post(t, h, tt.authorization, tt.body); got != tt.want {
			t.Errorf("%s: answered %d, want %d", name, got, tt.want)
		}
	}
	if len(*moved) > 0 {
		t.Errorf("%+v", *moved)
	}
	if _, err := trigger.Handler(p, "", nil); err == nil {
		t.Error("a webhook that anybody could call")
	}
}

// What could not be done is not forgotten: the tag counts as moved until somebody has done something about it.
func TestFailureIsTriedAgain(t *testing.T) {
	t.Parallel()
	now := tags{debian: "sha256:old"}
	p, moved := poller(now)
	note := p.Moved
	p.Moved = func(context.Context, trigger.Moved) error { return errors.New("the database is down") }
	if err := p.Look(t.Context(), debian); err != nil {
		t.Fatal(err)
	}
	now[debian] = "sha256:new"
	if err := p.Look(t.Context(), debian); err == nil {
		t.Error("a failure that nobody hears of")
	}
	p.Moved = note
	if err := p.Look(t.Context(), debian); err != nil || len(*moved) != 1 {
		t.Error(err, *moved)
	}
}

func ExamplePoller() {
	now := tags{debian: "sha256:old"}
	p := &trigger.Poller{
		Registry: now, Names: []string{"debian:12"}, Marks: lineage.NewMemory(),
		Moved: func(_ context.Context, m trigger.Moved) error { fmt.Println(m.Name, m.Before, m.Now); return nil },
	}
	fmt.Println(p.Look(context.Background(), "debian:12"))
	now[debian] = "sha256:new"
	fmt.Println(p.Look(context.Background(), "debian:12"))
	// Output:
	// <nil>
	// docker.io/library/debian:12 sha256:old sha256:new
	// <nil>
}
