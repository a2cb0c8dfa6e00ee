package verifier_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/verifier"
)

var (
	bad  = admissiontest.Digest("bad")
	good = admissiontest.Digest("good")
)

func newGate() *admission.Gate {
	deny := admissiontest.New("test")
	deny.Ban("BAN-7", "build on base/debian:12.9", bad)
	deny.Know(good)
	return admission.NewGate(admission.Options{Bundles: deny})
}

func Example() {
	var out bytes.Buffer
	code := verifier.Run(context.Background(), newGate(), []string{"-name", "registry.example/pay:1", "-digest", good, "-stdin-media-type", "application/vnd.oci.descriptor.v1+json"}, &out)
	fmt.Println(code, strings.HasPrefix(out.String(), "allowed: registry.example/pay:1"))
	// Output: 0 true
}

func TestRun(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"banned":          {[]string{"-name", "x", "-digest", bad}, "BAN-7"},
		"unknown":         {[]string{"-name", "x", "-digest", admissiontest.Digest("?")}, "AD1003"},
		"no digest":       {[]string{"-name", "x"}, "AD1012"},
		"a broken digest": {[]string{"-name", "x", "-digest", "latest"}, "AD1005"},
		"another flag":    {[]string{"-name", "x", "-digest", good, "-force"}, "AD1012"},
		"words":           {[]string{"-name", "x", "-digest", good, "yes"}, "AD1012"},
		"nothing":         {nil, "AD1012"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := verifier.Run(t.Context(), newGate(), tt.args, &out); code != 1 || !strings.Contains(out.String(), tt.want) {
				t.Errorf("%d: %s", code, &out)
			}
		})
	}
}

func TestOutputThatCannotBeWritten(t *testing.T) {
	if code := verifier.Run(t.Context(), newGate(), []string{"-name", "x", "-digest", good}, broken{}); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }
