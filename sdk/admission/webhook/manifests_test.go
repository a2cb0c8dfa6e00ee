package webhook_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"
)

// What the manifests promise is easily lost: that nothing is let in while the webhook is away, and that it is asked about
// all that has an image.
func TestManifestsFailClosed(t *testing.T) {
	src, err := os.ReadFile("../../../examples/kubernetes/plimsoll.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type webhookConfig struct {
		Kind     string `yaml:"kind"`
		Webhooks []struct {
			ClientConfig struct {
				Service struct{ Path string }
			} `yaml:"clientConfig"`
			Rules []struct {
				Operations []string
				Resources  []string
			}
			FailurePolicy string `yaml:"failurePolicy"`
			SideEffects   string `yaml:"sideEffects"`
		}
	}
	paths := map[string]string{}
	for dec := yaml.NewDecoder(bytes.NewReader(src)); ; {
		var c webhookConfig
		if err := dec.Decode(&c); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.Webhooks {
			paths[c.Kind] = w.ClientConfig.Service.Path
			if w.FailurePolicy != "Fail" || w.SideEffects != "None" || len(w.Rules) != 1 ||
				!slices.Equal(w.Rules[0].Operations, []string{"CREATE", "UPDATE"}) ||
				!slices.Equal(w.Rules[0].Resources, []string{"pods", "pods/ephemeralcontainers"}) {
				t.Errorf("%s: %+v", c.Kind, w)
			}
		}
	}
	if paths["MutatingWebhookConfiguration"] != "/mutate" || paths["ValidatingWebhookConfiguration"] != "/validate" {
		t.Errorf("%v", paths)
	}
}
