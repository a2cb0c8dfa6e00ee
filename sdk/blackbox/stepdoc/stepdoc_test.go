package stepdoc_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/stepdoc"
)

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	for name, want := range map[string][]byte{
		"../STEPS.md": stepdoc.Markdown(blackbox.Steps()),
		"../steps.js": stepdoc.Glue(blackbox.Steps()),
	} {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what the table of steps says, run go generate (-want +got):\n%s", name, diff)
		}
	}
}

func ExampleSearch() {
	for _, s := range stepdoc.Search(blackbox.Steps(), "setuid", "bit") {
		fmt.Println(s.Expression)
	}
	// Output:
	// the file {string} has the setuid bit
	// the file {string} does not have the setuid bit
	// no file has the setuid or setgid bit
	// no file has the setuid or setgid bit except
	// the mode of the file {string} is {string}
}
