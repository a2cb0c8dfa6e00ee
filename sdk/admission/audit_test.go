package admission_test

import (
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
)

func TestDecisionsAreInTheAuditLog(t *testing.T) {
	log, err := audit.Open(t.TempDir(), audit.Options{Name: "node-1"})
	if err != nil {
		t.Fatal(err)
	}
	gate := admission.NewGate(admission.Options{
		Bundles: newDeny(), Name: "node-1", Recorder: admission.AuditLog(log), Permits: admission.PermitList{permit(time.Now())},
	})
	for _, digest := range []string{shop, pay, alien} { // allowed, by a permit, denied
		gate.Decide(t.Context(), admission.Image{Digests: []string{digest}})
	}
	var got []audit.Event
	for e, err := range audit.Read(log.FS(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Event)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Detail["permit"] != "GLASS-1" || got[0].Outcome != audit.Allowed || got[1].Outcome != audit.Denied || got[1].Object != alien {
		t.Errorf("%+v", got)
	}

	// With a log that takes no more a permit is none.
	if d := gate.Decide(t.Context(), admission.Image{Digests: []string{pay}}); d.Outcome != admission.Denied {
		t.Errorf("%s", d)
	}
}
