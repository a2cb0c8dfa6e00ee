package blackbox_test

import (
	"fmt"
	"log"
	"testing"
	"testing/fstest"

	features "github.com/plimsoll-dev/plimsoll/features/image"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

func ExampleCheck() {
	files := fstest.MapFS{"pay.feature": {Data: []byte(`Feature: The payment service
  Scenario: It runs as nobody
    Then the image runs as a user other then root
`)}}
	findings, err := blackbox.Check(files, nil, blackbox.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	// Output:
	// pay.feature:3:5: error: the image runs as a user other then root: no step reads like this; did you mean
	//   the image runs as a user other than root
	// the first word that differs is "then" (BB2001)
}

func TestReadyMadeFeaturesAreClean(t *testing.T) {
	findings, err := blackbox.Check(features.Features(), nil, blackbox.Options{Params: map[string]string{"port": "80", "path": "/", "time": "1 second", "memory": "1 MiB"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
}
