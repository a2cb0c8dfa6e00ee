package catalogs_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/artifact"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/catalogs"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const (
	debian = "version: 1\nname: shop\nowner: ops\nbases:\n  - {repository: docker.io/library/debian, tags: ['12']}\n"
	ban    = "bans:\n  - {id: BAN-1, repository: docker.io/library/redis, reason: r, author: a, approver: p, denyFrom: 2026-01-01}\n"
	lifted = "bans:\n  - {id: BAN-1, repository: docker.io/library/redis, reason: r, author: a, approver: p, denyFrom: 2026-01-01, lifted: {at: 2026-11-01, by: x, reason: y}}\n"
)

func files(names ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(names); i += 2 {
		out[names[i]] = &fstest.MapFile{Data: []byte(names[i+1])}
	}
	return out
}

// desk is Ops with a key and a registry, and one who reads from it.
type desk struct {
	t      *testing.T
	key    *attest.Key
	trust  attest.Keys
	server *registrytest.Server
	client *registry.Client
	seen   catalogs.Seen
	dir    string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, client: registry.New(registry.Options{Retries: -1}), dir: filepath.Join(t.TempDir(), "seen")}
	t.Cleanup(d.client.Close)
	d.key, d.trust = newKey(t)
	var err error
	if d.server, err = registrytest.Start(registrytest.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.server.Close() })
	d.seen = catalogs.Dir(d.dir)
	return d
}

func newKey(t *testing.T) (*attest.Key, attest.Keys) {
	t.Helper()
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	return key, attest.Keys{{Name: "ops", Key: key.Public()}}
}

func (d *desk) push(fsys fs.FS, change func(*catalogs.PushOptions)) (*catalogs.Pushed, error) {
	opts := catalogs.PushOptions{Signer: d.key, Trust: d.trust, At: now}
	if change != nil {
		change(&opts)
	}
	return catalogs.Push(d.t.Context(), d.client, d.server.Ref("ops/catalog"), fsys, ".", opts)
}

func (d *desk) mustPush(fsys fs.FS, change func(*catalogs.PushOptions)) *catalogs.Pushed {
	d.t.Helper()
	pushed, err := d.push(fsys, change)
	if err != nil {
		d.t.Fatal(err)
	}
	return pushed
}

func (d *desk) pull(ref string, change func(*catalogs.PullOptions)) (*catalog.Catalog, error) {
	opts := catalogs.PullOptions{Trust: d.trust, At: now, Seen: d.seen}
	if change != nil {
		change(&opts)
	}
	pulled, err := catalogs.Pull(d.t.Context(), d.client, ref, opts)
	if err != nil {
		return nil, err
	}
	return pulled.Catalog, nil
}

func TestPushAndPull(t *testing.T) {
	d := newDesk(t)
	first := d.mustPush(files("a.yaml", debian, "more/b.yaml", "version: 1\n"+ban), nil)
	if first.Version != 1 || first.Before != 0 || first.Changes != nil {
		t.Errorf("first push: %+v", first)
	}
	second := d.mustPush(files("a.yaml", strings.Replace(debian, "12", "13", 1), "b.yaml", "version: 1\n"+lifted), nil)
	var changes []string
	for _, c := range second.Changes {
		changes = append(changes, c.String())
	}
	want := []string{
		"added base docker.io/library/debian tags 13 (a.yaml:5:5)", "removed base docker.io/library/debian tags 12 (a.yaml:5:5)", "lifted ban BAN-1 (b.yaml:3:5)",
	}
	if diff := cmp.Diff(want, changes); diff != "" || second.Version != 2 || second.Before != 1 {
		t.Errorf("second push: %+v (-want +got)\n%s", second, diff)
	}
	current, err := d.pull(d.server.Ref("ops/catalog:current"), nil)
	if err != nil {
		t.Fatal(err)
	}
	origin := catalog.Origin{Reference: d.server.Ref("ops/catalog:current"), Version: 2, SignedBy: "ops"}
	_, origin.Digest, _ = strings.Cut(second.Reference, "@")
	if diff := cmp.Diff(origin, current.Origin()); diff != "" || current.Digest() != second.Catalog {
		t.Errorf("%s is not %s (-want +got)\n%s", current.Digest(), second.Catalog, diff)
	}
	if got := current.Document().Bans[0].Place.String(); got != "b.yaml:3:5" {
		t.Errorf("the ban is at %s", got)
	}
	plan, err := current.Plan(t.Context(), catalog.Question{At: now}, nil)
	if err != nil || plan.Origin != origin || plan.Catalog != second.Catalog {
		t.Errorf("the plan records %+v, %v", plan, err)
	}
}

func TestTheSameFilesAreTheSameArchive(t *testing.T) {
	a, _, err := catalogs.Pack(t.Context(), files("a.yaml", debian, "b.yaml", "version: 1\n"), ".", catalog.Loader{})
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := catalogs.Pack(t.Context(), files("b.yaml", "version: 1\n", "a.yaml", debian, "README.md", "not part of it"), ".", catalog.Loader{})
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Error("the archives differ")
	}
}

// A pushed catalog is complete: who pulls it needs neither git nor another registry.
func TestIncludedPartsArePushedToo(t *testing.T) {
	d := newDesk(t)
	base := d.mustPush(files("base.yaml", strings.Replace(debian, "debian", "golang", 1)), func(o *catalogs.PushOptions) { o.Name = "base" })
	commit := strings.Repeat("a", 40)
	git := func(_ context.Context, repository, id string) (fs.FS, error) {
		if repository != "https://git.example/ops/x" || id != commit {
			t.Errorf("fetched %s at %s", repository, id)
		}
		return files("catalog/x.yaml", "version: 1\nowner: o\nbases:\n  - {repository: docker.io/library/node, tags: ['24']}\n", "other.yaml", "no"), nil
	}
	root := files("c.yaml", debian+"include:\n  - {oci: '"+base.Reference+"'}\n  - {path: more}\n  - {git: 'https://git.example/ops/x', commit: "+commit+", path: catalog}\n",
		"more/m.yaml", "version: 1\n"+ban, "not-included.yaml", "no")
	loader := catalog.Loader{Fetch: catalogs.Fetcher(d.client, git)}
	push := func() (*catalogs.Pushed, error) {
		return catalogs.Push(t.Context(), d.client, d.server.Ref("ops/whole"), root, "c.yaml", catalogs.PushOptions{Signer: d.key, Trust: d.trust, At: now, Loader: loader})
	}
	pushed, err := push()
	if err != nil {
		t.Fatal(err)
	}
	cat, err := d.pull(d.server.Ref("ops/whole:current"), func(o *catalogs.PullOptions) {
		o.Loader.Fetch = func(_ context.Context, i catalog.Include) (fs.FS, error) {
			return nil, errors.New("asked for " + i.Name())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range cat.Document().Bases {
		got = append(got, b.Repository)
	}
	if diff := cmp.Diff([]string{"docker.io/library/debian", "docker.io/library/golang", "docker.io/library/node"}, got); diff != "" || cat.Digest() != pushed.Catalog {
		t.Errorf("%s, pushed %s (-want +got)\n%s", cat.Digest(), pushed.Catalog, diff)
	}
	loader.Fetch = catalogs.Fetcher(d.client, nil)
	if _, err := push(); err == nil || !strings.Contains(err.Error(), "c.yaml:9:5: include https://git.example/ops/x@aaaaaaaaaaaa: parts in git are not fetched here") {
		t.Errorf("without git: %v", err)
	}
}

func TestPushRefuses(t *testing.T) {
	d := newDesk(t)
	_, stranger := newKey(t)
	if pushed, err := d.push(files("a.yaml", debian), func(o *catalogs.PushOptions) { o.DryRun = true }); err != nil || pushed.Reference != "" || pushed.Version != 1 {
		t.Errorf("dry run: %+v, %v", pushed, err)
	}
	if _, err := d.client.Resolve(t.Context(), d.server.Ref("ops/catalog:current")); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a dry run has pushed: %v", err)
	}
	d.mustPush(files("a.yaml", debian+ban), func(o *catalogs.PushOptions) { o.Version = 7 })
	for _, tt := range []struct {
		name   string
		files  fstest.MapFS
		change func(*catalogs.PushOptions)
		is     error
		want   string
	}{
		{"a ban that is gone", files("a.yaml", debian), nil, catalogs.ErrBanGone, "BAN-1; keep it and write lifted: {at, by, reason}"},
		{"an older version", files("a.yaml", debian+ban), func(o *catalogs.PushOptions) { o.Version = 6 }, catalogs.ErrSuperseded, "7, and this one is 6"},
		{"the same version", files("a.yaml", debian+ban), func(o *catalogs.PushOptions) { o.Version = 7 }, catalogs.ErrSuperseded, "7, and this one is 7"},
		{"a broken catalog", files("a.yaml", "version: 2"), nil, nil, "a.yaml:1:10: format version 2; this program reads version 1"},
		{"no catalog", files("README.md", ""), nil, nil, "no .yaml or .yml file in it"},
		{"a key that nobody trusts", files("a.yaml", debian+ban), func(o *catalogs.PushOptions) { o.Trust = stranger }, attest.ErrUntrusted, "the catalog that is there"},
		{"no key", files("a.yaml", debian+ban), func(o *catalogs.PushOptions) { o.Signer = nil }, nil, "a catalog is pushed with a key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := d.push(tt.files, tt.change)
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v", err)
			}
		})
	}
	// A registry that does not answer is not one that has no catalog yet.
	d.server.Inject(registrytest.Rule{Path: "/manifests/current", Fault: registrytest.Status(http.StatusInternalServerError, nil)})
	if _, err := d.push(files("a.yaml", debian), nil); err == nil {
		t.Error("pushed without knowing what is there")
	}
}

func TestExpiredCatalogsAreSucceeded(t *testing.T) {
	d := newDesk(t)
	d.mustPush(files("a.yaml", debian), func(o *catalogs.PushOptions) { o.At, o.Expires = now.AddDate(0, 0, -9), now.AddDate(0, 0, -2) })
	if _, err := d.pull(d.server.Ref("ops/catalog:current"), nil); !errors.Is(err, artifact.ErrExpired) {
		t.Errorf("pull: %v", err)
	}
	if pushed := d.mustPush(files("a.yaml", debian), nil); pushed.Version != 2 {
		t.Errorf("%+v", pushed)
	}
}

func TestPullRefuses(t *testing.T) {
	d := newDesk(t)
	old := d.mustPush(files("a.yaml", debian+ban), nil)
	current := d.server.Ref("ops/catalog:current")
	d.mustPush(files("a.yaml", debian+ban), nil)
	if _, err := d.pull(current, nil); err != nil {
		t.Fatal(err)
	}
	other := d.mustPush(files("a.yaml", debian), func(o *catalogs.PushOptions) { o.Name, o.Tags = "other", []string{"other"} })
	_ = other
	_, stranger := newKey(t)

	// The registry puts the old one back.
	signed, err := artifact.Fetch(t.Context(), d.client, old.Reference, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := artifact.Push(t.Context(), d.client, d.server.Ref("ops/catalog"), signed, registry.PushOptions{Tags: []string{"current"}}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		ref    string
		change func(*catalogs.PullOptions)
		is     error
	}{
		{"rolled back", current, nil, artifact.ErrRollback},
		{"rolled back, for another process", current, func(o *catalogs.PullOptions) { o.Seen = catalogs.Dir(d.dir) }, artifact.ErrRollback},
		{"an old one by digest, with a memory", old.Reference, nil, artifact.ErrRollback},
		{"a stranger's", current, func(o *catalogs.PullOptions) { o.Trust = stranger }, attest.ErrUntrusted},
		{"another catalog by the same key", d.server.Ref("ops/catalog:other"), nil, artifact.ErrKind},
		{"a tag, trusting nobody", current, func(o *catalogs.PullOptions) { o.Trust = nil }, catalogs.ErrUnpinned},
		{"a tag, remembering nothing", current, func(o *catalogs.PullOptions) { o.Seen = nil }, catalogs.ErrUnpinned},
		{"not there", d.server.Ref("ops/catalog:gone"), nil, registry.ErrNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cat, err := d.pull(tt.ref, tt.change)
			if cat != nil || !errors.Is(err, tt.is) {
				t.Errorf("got %v", err)
			}
		})
	}
	// By digest and without keys the digest is what is trusted.
	cat, err := d.pull(old.Reference, func(o *catalogs.PullOptions) { o.Trust, o.Seen = nil, nil })
	if err != nil || cat.Digest() != old.Catalog || cat.Origin().SignedBy != "" {
		t.Errorf("by digest: %v", err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "ops%2Fcatalog.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.pull(current, nil); err == nil || !strings.Contains(err.Error(), "can't be read") {
		t.Errorf("a broken memory: %v", err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	for name, archive := range map[string][]byte{
		"nothing": nil, "no archive": []byte("version: 1\n"),
	} {
		if _, err := catalogs.Open(t.Context(), archive, catalog.Loader{}); !errors.Is(err, attest.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, _, err := catalogs.Pack(t.Context(), files("a.yaml", debian), ".", catalog.Loader{})
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(good) {
		if _, err := catalogs.Open(t.Context(), good[:cut], catalog.Loader{}); err == nil {
			t.Errorf("the first %d of %d bytes are a catalog", cut, len(good))
		}
	}
}
