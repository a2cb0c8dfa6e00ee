package blackbox_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"testing/fstest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

func ExampleSuite_Run() {
	// An image that a build made; here it has nothing but a configuration.
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", Config: v1.Config{User: "65532", Entrypoint: []string{"/pay"}, Env: []string{"API_TOKEN=s3cret"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	// In a project this is os.DirFS("features").
	features := fstest.MapFS{"pay.feature": {Data: []byte(`Feature: The payment service
  Scenario: It runs as nobody
    Then the image runs as a user other than root

  Scenario: It keeps its secrets
    Then no variable of the image looks like a secret
`)}}

	suite := blackbox.Suite{Features: features, Reference: "registry.example/pay:1", Image: image}
	verdict, err := suite.Run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict.Result())
	for _, f := range verdict.Findings() {
		fmt.Fprintln(os.Stdout, f)
	}
	fmt.Println("gate closed:", finding.Gate(verdict.Findings(), finding.Error) != nil)
	// Output:
	// FAILED
	// pay.feature:6:5: error: It keeps its secrets (linux/amd64): no variable of the image looks like a secret: the variables of the image: expected none that looks like a secret, found "API_TOKEN" (BB3001)
	// gate closed: true
}
