package sbom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/santhosh-tekuri/jsonschema/v6"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/sbom"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/installed"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

func image(t testing.TB) v1.Image {
	t.Helper()
	img, err := registrytest.Image(map[string]string{
		"etc/os-release":                         "ID=debian\nVERSION_ID=\"12\"\n",
		"var/lib/dpkg/status":                    "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.13-1~deb12u1\n\nPackage: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.2.13.dfsg-1\n",
		"app/node_modules/@acme/ui/package.json": `{"name": "@acme/ui", "version": "1.2.3"}`,
	}, registrytest.ImageOptions{Created: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// more has the kinds of packages whose package URLs are special.
func more() installed.List {
	return installed.List{Distro: "debian-12", Packages: []packages.Package{
		{Name: "libssl3", Version: "3.0.13-1~deb12u1", Type: "deb", Path: "/var/lib/dpkg/status"},
		{Name: "bash", Version: "1:5.2-3.fc40", Type: "rpm", Path: "/var/lib/rpm/rpmdb.sqlite"},
		{Name: "golang.org/x/net", Version: "v0.60.0", Type: "golang", Path: "/app"},
		{Name: "stdlib", Version: "go1.26.8", Type: "golang", Path: "/app"},
		{Name: "@acme/ui", Version: "1.2.3", Type: "npm", Path: "/app/node_modules/@acme/ui/package.json"},
		{Name: "rack", Version: "3.1.8", Type: "gem", Path: "/x.gemspec"},
	}}
}

func about(t testing.TB) sbom.About {
	t.Helper()
	digest, err := v1.NewHash("sha256:" + strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		t.Fatal(err)
	}
	return sbom.About{Name: "registry.example/team/app", Platform: "linux/amd64", Digest: digest, Created: time.Unix(0, 0)}
}

// What was written is what is read, so that "who carries libssl3 below 3.0.14" can be asked of the list later.
func TestBothFormatsComeBack(t *testing.T) {
	for _, format := range []sbom.Format{sbom.FormatSPDX, sbom.FormatCycloneDX} {
		t.Run(string(format), func(t *testing.T) {
			kind, document, err := format.Document(more(), about(t))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			got, err := sbom.Parse(kind, raw)
			if err != nil {
				t.Fatal(err)
			}
			want := more()
			for i := range want.Packages {
				want.Packages[i].Path, got.Packages[i].Path = "", ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			for below, carries := range map[string]bool{"3.0.14": true, "3.0.13": false} {
				if does, err := got.Carries(catalog.Package{Type: "deb", Name: "libssl3", Below: below, Distro: "debian-12"}); err != nil || does != carries {
					t.Errorf("below %s: got %v, %v", below, does, err)
				}
			}
		})
	}
}

// The schema of CycloneDX is the official one, out of its own Go module.
func TestCycloneDXSchema(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	for id, file := range map[string]string{
		"http://cyclonedx.org/schema/bom-1.6.schema.json":  "bom-1.6.schema.json",
		"http://cyclonedx.org/schema/spdx.schema.json":     "spdx.schema.json",
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		src, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource(id, schema); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, list := range map[string]installed.List{"many": more(), "none": {}} {
		raw, err := json.Marshal(sbom.CycloneDX(list, about(t)))
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// SPDX's schema is in no Go module; its own tools check what they can.
func TestSPDXTools(t *testing.T) {
	raw, err := json.Marshal(sbom.SPDX(more(), about(t)))
	if err != nil {
		t.Fatal(err)
	}
	document, err := spdxjson.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(document); err != nil {
		t.Error(err)
	}
	if len(document.Packages) != 7 || len(document.Relationships) != 7 || document.SPDXVersion != "SPDX-2.3" {
		t.Errorf("got %d packages, %d relationships of %s", len(document.Packages), len(document.Relationships), document.SPDXVersion)
	}
}

func TestAttest(t *testing.T) {
	img := image(t)
	kind, document, err := sbom.Attest(sbom.FormatSPDX, "registry.example/team/app", "v1")(t.Context(), "linux/amd64", img)
	if err != nil || kind != attest.SPDXType {
		t.Fatalf("%s, %v", kind, err)
	}
	_, again, err := sbom.Attest(sbom.FormatSPDX, "registry.example/team/app", "v1")(t.Context(), "linux/amd64", img)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := json.Marshal(again); err != nil || !bytes.Equal(raw, same) {
		t.Errorf("another list of the same image: %s, %v", same, err)
	}
	list, err := sbom.Parse(kind, raw)
	if err != nil || list.Distro != "debian-12" || len(list.Packages) != 3 {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestAttached(t *testing.T) {
	img := image(t)
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	with := func(subject v1.Hash) v1.ImageIndex {
		statement, err := attest.NewStatement(attest.SPDXType, sbom.SPDX(more(), about(t)), attest.NewSubject("app", subject))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(statement)
		if err != nil {
			t.Fatal(err)
		}
		scan, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
			Layer: static.NewLayer(raw, "application/vnd.in-toto+json"), MediaType: "application/vnd.in-toto+json",
			Annotations: map[string]string{"in-toto.io/predicate-type": attest.SPDXType},
		})
		if err != nil {
			t.Fatal(err)
		}
		index, err := registrytest.Index(img)
		if err != nil {
			t.Fatal(err)
		}
		return mutate.AppendManifests(index, mutate.IndexAddendum{Add: scan, Descriptor: v1.Descriptor{
			Platform:    &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest.String()},
		}})
	}
	kind, predicate, err := sbom.Attached(with(digest), digest)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := sbom.Parse(kind, predicate); err != nil || len(list.Packages) != 6 {
		t.Errorf("got %+v, %v", list, err)
	}
	other := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}
	if _, _, err := sbom.Attached(with(other), digest); !errors.Is(err, attest.ErrMalformed) {
		t.Errorf("about another image: %v", err)
	}
	if _, _, err := sbom.Attached(with(digest), other); !errors.Is(err, sbom.ErrNone) {
		t.Errorf("nothing attached: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, kind := range []string{attest.SPDXType, attest.CycloneDXType} {
		for _, raw := range []string{"", "[]", "null x", `{"packages": 7, "components": 7}`} {
			if _, err := sbom.Parse(kind, []byte(raw)); !errors.Is(err, attest.ErrMalformed) {
				t.Errorf("%s %q: got %v", kind, raw, err)
			}
		}
	}
	if _, err := sbom.Parse("https://example.com", nil); err == nil {
		t.Error("another type was accepted")
	}
	if _, _, err := sbom.Format("csv").Document(more(), about(t)); err == nil {
		t.Error("another format was accepted")
	}
}

func FuzzParse(f *testing.F) {
	for _, format := range []sbom.Format{sbom.FormatSPDX, sbom.FormatCycloneDX} {
		_, document, err := format.Document(more(), about(f))
		if err != nil {
			f.Fatal(err)
		}
		raw, err := json.Marshal(document)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(_ *testing.T, raw []byte) {
		for _, kind := range []string{attest.SPDXType, attest.CycloneDXType} {
			_, _ = sbom.Parse(kind, raw)
		}
	})
}

func Example() {
	img, err := registrytest.Image(map[string]string{
		"etc/os-release":      "ID=debian\nVERSION_ID=12\n",
		"var/lib/dpkg/status": "Package: libssl3\nStatus: install ok installed\nVersion: 3.0.13-1\n",
	}, registrytest.ImageOptions{})
	if err != nil {
		log.Fatal(err)
	}
	list, err := installed.Read(context.Background(), img, false)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range sbom.SPDX(list, sbom.About{Name: "registry.example/team/app"}).Packages[1:] {
		fmt.Println(p.PackageExternalReferences[0].Locator)
	}
	// Output: pkg:deb/debian/libssl3@3.0.13-1?distro=debian-12
}
