package conformance

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// pull reads a source from its registry.
func pull(t testing.TB, s build.Source) v1.Image {
	t.Helper()
	ref, err := name.ParseReference(s.Ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// sources attacks the source policy: everything that was not listed is denied, each way there is to read something.
func (s suite) sources(t *testing.T) {
	if s.lacks.Enforcement {
		t.Skip("this home says that it does not enforce sources")
	}
	evil := Userland(t, "6.6.6")
	var hits atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(web.Close)
	trigger, err := mutate.Config(pull(t, s.base), v1.Config{OnBuild: []string{"COPY --from=" + evil.Ref + " /etc/os-release /evil"}})
	if err != nil {
		t.Fatal(err)
	}
	trap := Push(t, Registry(t)+"/trap:1", trigger)
	tests := []struct{ name, dockerfile string }{
		{"from", "FROM EVIL\nRUN true\n"},
		{"from through an argument", "ARG B=EVIL\nFROM ${B}\nRUN true\n"},
		{"from by tag", "FROM TAG\nRUN true\n"},
		{"copy from", "FROM BASE\nCOPY --from=EVIL /etc/os-release /evil\n"},
		{"mount", "FROM BASE\nRUN --mount=from=EVIL,target=/m cat /m/etc/os-release\n"},
		{"cache mount", "FROM BASE\nRUN --mount=type=cache,from=EVIL,target=/m cat /m/etc/os-release\n"},
		{"inherited trigger", "FROM TRAP\nRUN true\n"},
		{"http", "FROM BASE\nADD WEB/file /file\n"},
		{"git", "FROM BASE\nADD WEB/repo.git#main /repo\n"},
	}
	tag, _, _ := strings.Cut(s.base.Ref, "@")
	replace := strings.NewReplacer("EVIL", evil.Ref, "BASE", s.base.Ref, "TRAP", trap.Ref, "WEB", web.URL, "TAG", tag)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.builder.Build(t.Context(), s.request(t, build.Request{
				Dockerfile: []byte(replace.Replace(tt.dockerfile)),
				Sources:    []build.Source{trap},
			}))
			if !errors.Is(err, build.ErrUnlisted) {
				t.Errorf("got %v, want build.ErrUnlisted", err)
			}
		})
	}
	if n := hits.Load(); n > 0 {
		t.Errorf("the web server got %d requests", n)
	}
	t.Run("listed", func(t *testing.T) {
		s.build(t, build.Request{
			Dockerfile: fmt.Appendf(nil, "FROM %s\nCOPY --from=%s /etc/os-release /other\nADD %s/file /file\n", s.base.Ref, evil.Ref, web.URL),
			Sources:    []build.Source{evil, {Kind: "http", Ref: web.URL + "/file"}},
		})
	})
}

// platforms builds for two platforms without running anything.
func (s suite) platforms(t *testing.T) {
	index := mutate.IndexMediaType(empty.Index, "application/vnd.oci.image.index.v1+json")
	base := pull(t, s.base)
	config, err := base.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		c := config.DeepCopy()
		c.Architecture = arch
		img, err := mutate.ConfigFile(base, c)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	tag, err := name.NewTag(Registry(t) + "/base/both:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	both := build.Source{Kind: "image", Ref: tag.Name() + "@" + digest.String()}
	req := build.Request{
		Platforms:  []string{"linux/amd64", "linux/arm64"},
		Context:    service(),
		Dockerfile: fmt.Appendf(nil, "FROM %s\nCOPY bin/run /run\n", both.Ref),
		Sources:    []build.Source{both},
	}
	if s.lacks.Platforms {
		_, err := s.builder.Build(t.Context(), s.request(t, req))
		if err == nil || !strings.Contains(err.Error(), "one platform") {
			t.Errorf("got %v, want an error", err)
		}
		return
	}
	result := s.build(t, req)
	var got []string
	for _, img := range images(t, result.Index) {
		c, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c.OS+"/"+c.Architecture)
	}
	if strings.Join(got, " ") != "linux/amd64 linux/arm64" {
		t.Errorf("platforms %q", got)
	}
}
