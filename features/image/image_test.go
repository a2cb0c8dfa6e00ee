package image_test

import (
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

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
