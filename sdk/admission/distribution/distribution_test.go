package distribution_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/distribution"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

var (
	key = admissiontest.NewKey("ops")
	now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
)

// make makes version n, which denies n digests more than a thousand.
func makeBundle(n int, follow *bundle.Bundle) (*bundle.Bundle, []byte) {
	b := bundle.NewBuilder(bundle.Header{Name: "test", Version: uint64(n), Issued: now, Expires: now.Add(time.Hour)})
	if follow != nil {
		if err := b.Follow(follow); err != nil {
			log.Fatal(err)
		}
	}
	ban := b.Ban(bundle.Ban{ID: "BAN-1", Reason: "holes"})
	for i := range 1000 + n {
		b.Deny(admissiontest.Digest(fmt.Sprint(i)), bundle.Cause{Ban: ban})
	}
	var out bytes.Buffer
	if err := b.Write(context.Background(), &out, key); err != nil {
		log.Fatal(err)
	}
	made, err := bundle.Load(context.Background(), out.Bytes(), key)
	if err != nil {
		log.Fatal(err)
	}
	return made, out.Bytes()
}

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "deny")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	first, data := makeBundle(1, nil)
	if err := distribution.Publish(ctx, distribution.Dir(dir), first, data, key); err != nil {
		log.Fatal(err)
	}
	second, data := makeBundle(2, first)
	if err := distribution.Publish(ctx, distribution.Dir(dir), second, data, key); err != nil {
		log.Fatal(err)
	}
	update, err := distribution.Fetch(ctx, distribution.Dir(dir), first, key)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("version", update.Bundle.Header().Version, "by a delta:", update.Read < int64(len(update.Data))/20)
	// Output: version 2 by a delta: true
}

func remotes(t *testing.T) map[string][2]distribution.Remote {
	t.Helper()
	dir, served := t.TempDir(), t.TempDir()
	server := httptest.NewServer(http.FileServer(http.Dir(served)))
	t.Cleanup(server.Close)
	web, err := distribution.HTTP(server.Client(), server.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reg.Close() })
	client := registry.New(registry.Options{})
	t.Cleanup(client.Close)
	oci := distribution.Registry(client, reg.Ref("ops/deny"))
	return map[string][2]distribution.Remote{ // to write to, and to read from
		"directory": {distribution.Dir(dir), distribution.Dir(dir)},
		"http":      {distribution.Dir(served), web},
		"registry":  {oci, oci},
	}
}

func TestRemotes(t *testing.T) {
	for name, r := range remotes(t) {
		t.Run(name, func(t *testing.T) {
			to, from := r[0], r[1]
			if _, err := distribution.Fetch(t.Context(), from, nil, key); !errors.Is(err, distribution.ErrNotFound) {
				t.Errorf("empty: %v", err)
			}
			var all []*bundle.Bundle
			var before *bundle.Bundle
			for n := 1; n <= 12; n++ {
				b, data := makeBundle(n, before)
				if err := distribution.Publish(t.Context(), to, b, data, key); err != nil {
					t.Fatal(err)
				}
				before, all = b, append(all, b)
			}
			newest := all[len(all)-1]
			size := int64(0)
			for _, have := range append([]*bundle.Bundle{nil}, all...) {
				u, err := distribution.Fetch(t.Context(), from, have, key)
				switch {
				case err != nil:
					t.Fatal(err)
				case have == newest:
					if u != nil {
						t.Error("there is something newer than the newest")
					}
				case !u.Bundle.Same(newest):
					t.Errorf("fetched version %d", u.Bundle.Header().Version)
				case have == nil:
					size = u.Read
				case have.Header().Version >= 4 != (u.Read < size/4): // eight deltas are kept
					t.Errorf("from version %d it read %d of %d bytes", have.Header().Version, u.Read, size)
				}
			}
			old, data := makeBundle(12, nil)
			if err := distribution.Publish(t.Context(), to, old, data, key); err == nil {
				t.Error("a version that is there was published again")
			}
			ahead, _ := makeBundle(13, nil)
			if _, err := distribution.Fetch(t.Context(), from, ahead, key); !errors.Is(err, distribution.ErrOlder) {
				t.Errorf("behind what is here: %v", err)
			}
		})
	}
}

// What is wrong on a remote is an error or a longer way, and never another bundle than was signed.
func TestBrokenRemote(t *testing.T) {
	first, firstData := makeBundle(1, nil)
	second, secondData := makeBundle(2, first)
	tests := []struct {
		name  string
		files map[string]string
		want  string // "" is that version 2 is fetched all the same
	}{
		{"delta changed", map[string]string{"1-2": "plimsoll deny delta 1\nxxxxxxxxxxxxxx"}, ""},
		{"delta empty", map[string]string{"1-2": ""}, ""},
		{"bundle cut off and no delta", map[string]string{"1-2": "", "2": string(secondData[:800])}, "not a whole"},
		{"bundle larger than it should be", map[string]string{"1-2": "", "2": string(secondData) + "x"}, "more than"},
		{"the older bundle under the new name", map[string]string{"1-2": "", "2": string(firstData)}, ""},
		{"latest is empty", map[string]string{"latest": ""}, "latest"},
		{"latest is huge", map[string]string{"latest": strings.Repeat(" ", 1<<20)}, "more than"},
		{"latest promises what is not there", map[string]string{"latest": `{"version":3,"size":100000}`}, "not found"},
		{"latest has no size", map[string]string{"latest": `{"version":3}`}, "0 bytes"},
		{"latest has deltas in a circle", map[string]string{"latest": `{"version":2,"size":100000,"deltas":[{"from":1,"to":1,"size":9},{"from":1,"to":1,"size":9}]}`}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, b := range []struct {
				b    *bundle.Bundle
				data []byte
			}{{first, firstData}, {second, secondData}} {
				if err := distribution.Publish(t.Context(), distribution.Dir(dir), b.b, b.data, key); err != nil {
					t.Fatal(err)
				}
			}
			for name, content := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			u, err := distribution.Fetch(t.Context(), distribution.Dir(dir), first, key)
			switch {
			case tt.want != "":
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
			case tt.name == "the older bundle under the new name":
				if err != nil || !u.Bundle.Same(first) { // the store refuses it
					t.Errorf("%v", err)
				}
			case err != nil || !u.Bundle.Same(second):
				t.Errorf("got %+v, %v", u, err)
			}
		})
	}
}

func TestHTTPErrorsNameTheURLWithoutItsPassword(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	remote, err := distribution.HTTP(server.Client(), strings.Replace(server.URL, "://", "://u:secret@", 1)+"/deny")
	if err != nil {
		t.Fatal(err)
	}
	_, err = distribution.Fetch(t.Context(), remote, nil, key)
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "/deny/latest") {
		t.Errorf("got %v", err)
	}
	if err := remote.Put(t.Context(), "1", nil); err == nil {
		t.Error("wrote by HTTP")
	}
	if _, err := distribution.HTTP(nil, "ftp://x"); err == nil {
		t.Error("took ftp")
	}
}
