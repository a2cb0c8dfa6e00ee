package compile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/compile"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

const bans = `version: 1
owner: platform
bases:
  - repository: registry.example/base/debian
    tags: ["*"]
bans:
  - id: BAN-1
    repository: registry.example/base/debian
    versions: "<12.9"
    reason: holes in openssl
    advisory: CVE-2026-12345
    severity: high
    denyFrom: 2026-05-01
    replacement: {version: "12.9"}
    author: ana
    approver: bo
  - id: BAN-2
    package: {type: deb, name: libssl3, below: 3.0.14-1}
    reason: old
    severity: low
    warnFrom: 2026-05-01
    denyFrom: 2026-07-01
    author: ana
    approver: bo
  - id: BAN-3
    repository: registry.example/base/forgotten
    reason: never mind
    severity: low
    denyFrom: 2026-01-01
    author: ana
    approver: bo
    lifted: {at: 2026-02-01, by: bo, reason: it was nothing}
exceptions:
  - id: EXC-1
    project: {repository: https://git.example/shop/legacy}
    scope: {ban: BAN-1}
    reason: they move next month
    owner: lea
    approver: bo
    until: 2026-05-20
`

var now = time.Date(2026, 5, 2, 12, 0, 0, 0, time.UTC)

func digest(name string) string { return admissiontest.Digest(name) }

// manifest is an image with the layers of its base and one of its own.
func manifest(name string, below ...string) lineage.Image {
	chain, under := "", []string{}
	for _, layer := range append(below, name) {
		if chain != "" {
			under = append(under, chain)
			chain = digest(chain + " " + digest("layer "+layer))
			continue
		}
		chain = digest("layer " + layer)
	}
	return lineage.Image{Digest: digest(name), Kind: lineage.KindManifest, Platform: "linux/amd64", Config: digest(name + " config"), Chain: chain, Below: under, Layers: len(below) + 1}
}

func world() lineage.Store {
	store := lineage.NewMemory()
	debian, fixed := manifest("debian"), manifest("fixed")
	java, pay, legacy, other := manifest("java", "debian"), manifest("pay", "debian", "java"), manifest("legacy", "debian"), manifest("other", "fixed")
	legacy.Definition = lineage.Definition{Repository: "https://git.example/shop/legacy", Path: "Dockerfile", Grade: lineage.GradeBuild}
	arm := manifest("pay arm", "fixed")
	index := lineage.Image{Digest: digest("pay index"), Kind: lineage.KindIndex, Manifests: []lineage.Child{{Digest: pay.Digest, Platform: "linux/amd64"}, {Digest: arm.Digest, Platform: "linux/arm64"}}}
	edge := func(image, base lineage.Image, name string) lineage.Edge {
		return lineage.Edge{Image: image, Base: base.Digest, Name: name, Role: lineage.RoleBase, Grade: lineage.GradeBuild, Source: "build 7"}
	}
	tag := func(repository, name, digest string) lineage.Tag {
		return lineage.Tag{Repository: "registry.example/" + repository, Name: name, Digest: digest, Since: now}
	}
	err := store.Put(context.Background(), lineage.Batch{
		Images: []lineage.Image{debian, fixed, java, pay, arm, legacy, other, index},
		Edges: []lineage.Edge{
			edge(java, debian, "registry.example/base/debian:12.8"), edge(pay, java, "registry.example/base/java:21"), edge(legacy, debian, ""),
			edge(other, fixed, "registry.example/base/debian:12.9"), edge(arm, fixed, "registry.example/base/debian:12.9"),
		},
		Tags: []lineage.Tag{
			tag("base/debian", "12.8", debian.Digest), tag("base/debian", "12.9", fixed.Digest), tag("base/java", "21", java.Digest),
			tag("shop/pay", "1", index.Digest), tag("shop/legacy", "1", legacy.Digest), tag("shop/other", "1", other.Digest),
		},
		Inventories: []lineage.Inventory{{Image: other.Digest, Distro: "debian-12", Grade: lineage.GradeSigned, Packages: []lineage.Package{{Type: "deb", Name: "libssl3", Version: "3.0.11-1"}}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	return store
}

func compiled(store lineage.Store, opts compile.Options) (*bundle.Bundle, *compile.Report, error) {
	cat, err := catalog.Load("catalog.yaml", []byte(bans))
	if err != nil {
		return nil, nil, err
	}
	key := admissiontest.NewKey("ops")
	b := bundle.NewBuilder(bundle.Header{Name: "test", Version: 1, Issued: now, Expires: now.AddDate(1, 0, 0), Catalog: cat.Digest()})
	opts.At = now
	report, err := compile.Compile(context.Background(), b, cat, store, opts)
	if err != nil {
		return nil, nil, err
	}
	var out bytes.Buffer
	if err := b.Write(context.Background(), &out, key); err != nil {
		return nil, nil, err
	}
	deny, err := bundle.Load(context.Background(), out.Bytes(), key)
	return deny, report, err
}

func Example() {
	store := world()
	defer store.Close()
	deny, report, err := compiled(store, compile.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range report.Bans {
		fmt.Println(c.Ban, c.Images, c.Excepted)
	}
	entry, err := deny.Find(digest("pay"))
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range entry.Denials {
		fmt.Println(d.Ban.ID, d.Ban.WayOut)
		for _, s := range d.Path {
			fmt.Println(" ", s)
		}
	}
	// Output:
	// BAN-1 4 1
	// BAN-2 1 0
	// BAN-1 rebuild it on version 12.9
	//   registry.example/base/java:21 (base, by build record)
	//   registry.example/base/debian:12.8 (base, by build record)
}

type held struct{ b *bundle.Bundle }

func (h held) Current(context.Context) (admission.Held, error) {
	return admission.Held{Bundle: h.b}, nil
}

func TestDecisions(t *testing.T) {
	store := world()
	defer store.Close()
	deny, _, err := compiled(store, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	commit := manifest("commit", "debian", "java")
	tests := []struct {
		name  string
		image admission.Image
		at    time.Time
		want  admission.Outcome
		say   string
	}{
		{"the base itself", admission.Image{Digests: []string{digest("debian")}}, now, admission.Denied, "BAN-1"},
		{"one above", admission.Image{Digests: []string{digest("java")}}, now, admission.Denied, "BAN-1"},
		{"two above, by its config", admission.Image{Digests: []string{digest("pay config")}}, now, admission.Denied, "registry.example/base/debian:12.8"},
		{"two above, by its index", admission.Image{Digests: []string{digest("pay index")}}, now, admission.Denied, "BAN-1"},
		{"the other platform of the index", admission.Image{Digests: []string{digest("pay arm config")}, Indexes: []string{digest("pay index")}}, now, admission.Allowed, ""},
		{"on the fixed base, with an old package", admission.Image{Digests: []string{digest("other")}}, now, admission.Warned, "BAN-2"},
		{"the same when the package's ban holds", admission.Image{Digests: []string{digest("other")}}, now.AddDate(0, 3, 0), admission.Denied, "BAN-2"},
		{"the fixed base", admission.Image{Digests: []string{digest("fixed")}}, now, admission.Allowed, ""},
		{"excepted", admission.Image{Digests: []string{digest("legacy")}}, now, admission.Warned, "EXC-1"},
		{"excepted, and the exception has ended", admission.Image{Digests: []string{digest("legacy")}}, now.AddDate(0, 0, 30), admission.Denied, "EXC-1"},
		{"recorded by nobody, on the banned layers", admission.Image{Digests: []string{commit.Digest}, Layers: []string{digest("layer debian"), digest("layer x")}}, now, admission.Denied, "BAN-1"},
		{"recorded by nobody", admission.Image{Digests: []string{digest("alien")}}, now, admission.Denied, "AD1003"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := admission.NewGate(admission.Options{Bundles: held{deny}, Now: func() time.Time { return tt.at }}).Decide(t.Context(), tt.image)
			if d.Outcome != tt.want || !strings.Contains(d.String(), tt.say) {
				t.Errorf("%s", d)
			}
		})
	}
}

// Only good evidence denies, where Ops wants it so.
func TestAtLeast(t *testing.T) {
	store := world()
	defer store.Close()
	deny, _, err := compiled(store, compile.Options{AtLeast: lineage.GradeSigned})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"java", "layer debian"} {
		if e, err := deny.Find(digest(name)); err != nil || len(e.Denials) > 0 {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

// Whatever the store can't say, there is no bundle rather than half of one.
func TestStoreThatFails(t *testing.T) {
	broken := errors.New("the disk is on fire")
	store := world()
	defer store.Close()
	for name, s := range map[string]lineage.Store{"On": failsOn{store, broken}, "Tags": failsTags{store, broken}, "Images": failsImages{store, broken}, "Carriers": failsCarriers{store, broken}} {
		if _, _, err := compiled(s, compile.Options{}); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type (
	failsOn struct {
		lineage.Store
		err error
	}
	failsTags     failsOn
	failsImages   failsOn
	failsCarriers failsOn
)

func (f failsOn) On(context.Context, []lineage.Image) iter.Seq2[lineage.Edge, error] {
	return func(yield func(lineage.Edge, error) bool) { yield(lineage.Edge{}, f.err) }
}

func (f failsTags) Tags(context.Context, lineage.TagFilter) iter.Seq2[lineage.Tag, error] {
	return func(yield func(lineage.Tag, error) bool) { yield(lineage.Tag{}, f.err) }
}

func (f failsImages) Images(context.Context, []string) iter.Seq2[lineage.Image, error] {
	return func(yield func(lineage.Image, error) bool) { yield(lineage.Image{}, f.err) }
}

func (f failsCarriers) Carriers(context.Context, string, string) iter.Seq2[lineage.Carrier, error] {
	return func(yield func(lineage.Carrier, error) bool) { yield(lineage.Carrier{}, f.err) }
}
