package sweep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/sweep"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

type place struct {
	instances []admission.Instance
	err       error
}

func (p place) Instances(context.Context) ([]admission.Instance, error) { return p.instances, p.err }

func instance(name, image string) admission.Instance {
	return admission.Instance{Place: "docker://one", ID: name, Name: name, Image: admission.Image{Ref: image + ":1", Digests: []string{admissiontest.Digest(image)}}}
}

func newGate() *admission.Gate {
	deny := admissiontest.New("test")
	deny.Ban("BAN-7", "build on base/debian:12.9", admissiontest.Digest("bad"))
	deny.Know(admissiontest.Digest("good"))
	return admission.NewGate(admission.Options{Bundles: deny, Policy: admission.Policy{Unknown: admission.Warned}})
}

func Example() {
	one := place{instances: []admission.Instance{instance("web", "good"), instance("pay", "bad")}}
	report, err := sweep.Sweep(context.Background(), newGate(), one)
	if err != nil {
		fmt.Println(err)
	}
	if err := report.Write(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// denied  docker://one pay  bad:1@sha256:2f05d4b689d270cafb02285f35f44866f7dc8a2d368a3f9d1124373eeab31fb1  it is banned by BAN-7: CVE-2026-12345 in openssl; it stands on base/debian:12.8 (base, by signed provenance) (AD1001)
	// 1 denied, 0 warned, 1 allowed, by version 3 of the deny bundle
}

func TestSweep(t *testing.T) {
	down := errors.New("docker://two does not answer")
	report, err := sweep.Sweep(t.Context(), newGate(),
		place{instances: []admission.Instance{instance("b", "good"), instance("c", "bad"), instance("a", "bad"), instance("d", "alien")}},
		place{err: down})
	if !errors.Is(err, down) || len(report.Unreached) != 1 {
		t.Errorf("%v, %v", err, report.Unreached)
	}
	var names []string
	for _, j := range report.Instances {
		names = append(names, j.Instance.Name)
	}
	if got := strings.Join(names, " "); got != "a c d b" || report.Denied != 2 || report.Warned != 1 || report.Allowed != 1 {
		t.Errorf("%s, %+v", got, report)
	}
	if err := finding.Gate(report.Findings(), finding.Error); err == nil {
		t.Error("denied instances pass the gate")
	}
	empty, err := sweep.Sweep(t.Context(), newGate())
	if err != nil || empty.Instances == nil {
		t.Errorf("%+v, %v", empty, err)
	}
	if err := report.Write(broken{}); err == nil {
		t.Error("no error")
	}
	var out bytes.Buffer
	if err := report.Write(&out); err != nil || !strings.Contains(out.String(), "2 denied, 1 warned, 1 allowed") {
		t.Errorf("%s, %v", &out, err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }
