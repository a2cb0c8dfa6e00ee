package catalog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

var update = flag.Bool("update", false, "write what the tests got into testdata")

func TestBadFiles(t *testing.T) {
	const archive = "testdata/bad.txtar"
	cases, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	schema := compileSchema(t)
	for i := 0; i < len(cases.Files); i += 2 {
		file, want := cases.Files[i], &cases.Files[i+1]
		t.Run(strings.TrimSuffix(file.Name, ".yaml"), func(t *testing.T) {
			cat, err := catalog.Load("catalog.yaml", file.Data)
			var loadError *catalog.LoadError
			if cat != nil || !errors.As(err, &loadError) {
				t.Fatalf("Load = %v, %v; want only a LoadError", cat, err)
			}
			if *update {
				want.Data = []byte(err.Error() + "\n")
			}
			if diff := cmp.Diff(string(want.Data), err.Error()+"\n"); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			schemaError := validate(schema, file.Data)
			if form := bytes.HasPrefix(file.Data, []byte("# form\n")); form != (schemaError != nil) {
				t.Errorf("marked as form: %v; the schema says %v", form, schemaError)
			}
		})
	}
	if *update {
		if err := os.WriteFile(archive, txtar.Format(cases), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGoodFiles(t *testing.T) {
	schema := compileSchema(t)
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := catalog.Load(name, src); err != nil {
				t.Error(err)
			}
			if err := validate(schema, src); err != nil {
				t.Error(err)
			}
		})
	}
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(catalog.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("catalog.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validate checks YAML as an editor would: what is no YAML, or has aliases, which editors resolve, is not its business,
// and counts as refused.
func validate(schema *jsonschema.Schema, src []byte) error {
	var root yaml.Node
	if err := yaml.Load(src, &root); err != nil {
		return err
	}
	value, err := plain(root.Content[0])
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func plain(n *yaml.Node) (any, error) {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 || !strings.HasPrefix(n.Tag, "!!"):
		return nil, errors.New("aliases and tags are refused")
	case n.Kind == yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			value, err := plain(item)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case n.Kind == yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			value, err := plain(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			if _, ok := object[n.Content[i].Value]; ok {
				return nil, errors.New("duplicate key")
			}
			object[n.Content[i].Value] = value
		}
		return object, nil
	}
	switch n.Tag {
	case "!!int", "!!float":
		return json.Number(n.Value), nil
	case "!!bool":
		return n.Value == "true", nil
	case "!!null":
		return nil, nil
	}
	return n.Value, nil
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name, src, want string
	}{
		{"size", "version: 1\n#" + strings.Repeat("x", 4<<20), "c.yaml: the file has more than 4 MiB"},
		{"depth", "version: 1\nname: " + strings.Repeat("[", 100_000), "c.yaml:"},
		{"one long line", "version: 1\nowner: o\nbases: [" + strings.Repeat("{repository: docker.io/library/debian, tags: [a]}, ", 80_000) + "]\n", "c.yaml: bases has 80000 items; 10000 are allowed"},
		{"nothing but problems", "version: 1\nowner: o\nbases: [" + strings.Repeat("{tags: [1]}, ", 9_000) + "]\n", "c.yaml:3:17: tag: 1 is read as int"},
		{"binary", "version: 1\nname: a\x00b\n", "c.yaml:2:8: byte 0x00 is not part of a text; catalogs are UTF-8 with line breaks LF or CRLF"},
		{"latin 1", "version: 1\nname: gr\xfcn\n", "c.yaml:2:9: byte 0xfc is not part of a text; catalogs are UTF-8 with line breaks LF or CRLF"},
		{"old Mac line breaks", "version: 1\rname: x", "c.yaml:1:11: byte 0x0d is not part of a text; catalogs are UTF-8 with line breaks LF or CRLF"},
		{"utf-16", "\xff\xfev\x00", "c.yaml:1:1: byte 0xff is not part of a text; catalogs are UTF-8 with line breaks LF or CRLF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := catalog.Load("c.yaml", []byte(tt.src))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || len(err.Error()) > 20_000 {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestLoadAcceptsBOMAndCRLF(t *testing.T) {
	src := "\xef\xbb\xbfversion: 1\r\nowner: o\r\nbases:\r\n  - repository: docker.io/library/debian\r\n    tags: [\"12\"]\r\n    satte: x\r\n"
	_, err := catalog.Load("c.yaml", []byte(src))
	if diff := cmp.Diff(`c.yaml:6:5: unknown key "satte" in base; did you mean "state"?`, err.Error()); diff != "" {
		t.Error(diff)
	}
	cat, err := catalog.Load("c.yaml", []byte(strings.Replace(src, "    satte: x\r\n", "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if got := cat.Document().Bases[0].Place.String(); got != "c.yaml:4:5" {
		t.Errorf("the entry is at %s", got)
	}
}

func TestLoadFS(t *testing.T) {
	const debian = "    repository: docker.io/library/debian\n    tags: [\"12\"]\n"
	files := fstest.MapFS{
		"catalog/10-linux.yaml":        {Data: []byte("version: 1\nname: n\nowner: linux\nbases:\n  -\n" + debian)},
		"catalog/go/lang.yml":          {Data: []byte("version: 1\nowner: go\nbases:\n  -\n" + strings.ReplaceAll(debian, "debian", "golang"))},
		"catalog/.github/nonsense.yml": {Data: []byte("no")},
		"catalog/README.md":            {Data: []byte("no")},
		"catalog/.hidden.yaml":         {Data: []byte("no")},
	}
	cat, err := catalog.LoadFS(files, "catalog")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range cat.Document().Bases {
		got = append(got, b.Place.String()+" "+b.Repository+" "+b.Owner)
	}
	want := []string{"catalog/10-linux.yaml:6:5 docker.io/library/debian linux", "catalog/go/lang.yml:5:5 docker.io/library/golang go"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	files["catalog/20.yaml"] = &fstest.MapFile{Data: []byte("version: 1\nname: m\nowner: o\nbases:\n  -\n" + debian)}
	_, err = catalog.LoadFS(files, "catalog")
	wantErr := `catalog/20.yaml:2:7: name is set twice, first at catalog/10-linux.yaml:2:7
catalog/20.yaml:6:5: docker.io/library/debian tags 12 is listed twice, first at catalog/10-linux.yaml:6:5`
	if diff := cmp.Diff(wantErr, err.Error()); diff != "" {
		t.Error(diff)
	}

	if _, err := catalog.LoadFS(fstest.MapFS{"x.md": {}}, "."); err == nil || err.Error() != ".: no .yaml or .yml file in it" {
		t.Errorf("no files: %v", err)
	}
	if _, err := catalog.LoadFS(files, "absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

func TestDigest(t *testing.T) {
	load := func(src string) string {
		t.Helper()
		cat, err := catalog.Load("c.yaml", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		return cat.Digest()
	}
	a := load("version: 1\nowner: o\nbases:\n  - repository: docker.io/library/debian\n    tags: [\"12\"]\n")
	if b := load("# words\nbases: [{state: allowed, kinds: [runtime], tags: ['12'], repository: docker.io/library/debian, owner: o}]\nowner: o\nversion: 1\n"); a != b {
		t.Errorf("the same said differently has digest %s, not %s", b, a)
	}
	if b := load("version: 1\nowner: o\nbases:\n  - repository: docker.io/library/debian\n    tags: [\"13\"]\n"); a == b {
		t.Error("another catalog has the same digest")
	}
	if !strings.HasPrefix(a, "sha256:") || len(a) != 71 {
		t.Errorf("digest %q", a)
	}
}
