package image_test

import (
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/features/image"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

func Example() {
	chosen, err := image.Select("hardening", "minimal")
	if err != nil {
		fmt.Println(err)
		return
	}
	files, err := fs.Glob(chosen, "*")
	fmt.Println(files, err)
	fmt.Println(image.Names())
	// Output:
	// [hardening.feature minimal.feature] <nil>
	// [hardening hygiene minimal service]
}

// Every step of the ready-made features is one that there is.
func TestFeaturesAreWhole(t *testing.T) {
	all, err := image.Select(image.Names()...)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(all, "hardening.feature", "hygiene.feature", "minimal.feature", "service.feature"); err != nil {
		t.Error(err)
	}
	params := map[string]string{"port": "8080", "path": "/", "time": "10 seconds", "memory": "64 MiB"}
	findings, err := blackbox.Check(all, nil, blackbox.Options{Params: params})
	if err != nil || len(findings) > 0 {
		t.Errorf("%v, %v", findings, err)
	}
}

func TestSelectNamesWhatThereIs(t *testing.T) {
	for _, name := range []string{"hardning", "", "../image/hardening", "hardening.feature"} {
		if _, err := image.Select(name); err == nil {
			t.Errorf("%q is none", name)
		}
	}
	if all, err := image.Select(); err != nil || !slices.Equal(must(fs.Glob(all, "*")), nil) {
		t.Errorf("nothing chosen is not nothing: %v", err)
	}
}

func must(list []string, err error) []string {
	if err != nil {
		panic(err)
	}
	return list
}

// A distroless image may have no /etc at all.
func TestHardeningOfAnImageWithoutEtc(t *testing.T) {
	v1image, err := mutate.Config(empty.Image, v1.Config{User: "65534", Entrypoint: []string{"/app"}})
	if err != nil {
		t.Fatal(err)
	}
	config, err := v1image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	if v1image, err = mutate.ConfigFile(v1image, config); err != nil {
		t.Fatal(err)
	}
	features, err := image.Select("hardening")
	if err != nil {
		t.Fatal(err)
	}
	suite := blackbox.Suite{Features: features, Image: v1image}
	verdict, err := suite.Run(t.Context())
	if err != nil || verdict.Err() != nil {
		t.Errorf("%v\n%v", err, verdict.Err())
	}
}
