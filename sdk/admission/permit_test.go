package admission_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
)

type record struct {
	decisions []admission.Decision
	err       error
}

func (r *record) Record(_ context.Context, _ string, d admission.Decision) error {
	if r.err == nil {
		r.decisions = append(r.decisions, d)
	}
	return r.err
}

func permit(now time.Time) admission.Permit {
	return admission.Permit{
		ID: "GLASS-1", Digests: []string{pay}, Reason: "payments are down", Author: "ana", Approver: "bo",
		From: now.Add(-time.Minute), Until: now.Add(time.Hour),
	}
}

func TestPermit(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name   string
		change func(*admission.Permit, *record, *admission.Options)
		want   admission.Outcome
	}{
		{"good", func(*admission.Permit, *record, *admission.Options) {}, admission.Warned},
		{"of this gate", func(p *admission.Permit, _ *record, _ *admission.Options) { p.Gates = []string{"node-1", "node-2"} }, admission.Warned},
		{"of another gate", func(p *admission.Permit, _ *record, _ *admission.Options) { p.Gates = []string{"node-2"} }, admission.Denied},
		{"of another image", func(p *admission.Permit, _ *record, _ *admission.Options) { p.Digests = []string{shop} }, admission.Denied},
		{"over", func(p *admission.Permit, _ *record, _ *admission.Options) { p.Until = now.Add(-time.Second) }, admission.Denied},
		{"not begun", func(p *admission.Permit, _ *record, _ *admission.Options) { p.From = now.Add(time.Minute) }, admission.Denied},
		{"for too long", func(p *admission.Permit, _ *record, _ *admission.Options) { p.Until = now.Add(25 * time.Hour) }, admission.Denied},
		{"approved by its author", func(p *admission.Permit, _ *record, _ *admission.Options) { p.Approver = "ana" }, admission.Denied},
		{"without a reason", func(p *admission.Permit, _ *record, _ *admission.Options) { p.Reason = "" }, admission.Denied},
		{"that can't be recorded", func(_ *admission.Permit, r *record, _ *admission.Options) { r.err = errors.New("disk full") }, admission.Denied},
		{"without a recorder", func(_ *admission.Permit, _ *record, o *admission.Options) { o.Recorder = nil }, admission.Denied},
		{"when nothing else is known", func(_ *admission.Permit, _ *record, o *admission.Options) {
			d := admissiontest.New("test")
			d.Fail(errors.New("no bundle"))
			o.Bundles = d
		}, admission.Warned},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, r := permit(now), &record{}
			opts := admission.Options{Bundles: newDeny(), Name: "node-1", Recorder: r}
			tt.change(&p, r, &opts)
			opts.Permits = admission.PermitList{p}
			d := admission.NewGate(opts).Decide(t.Context(), admission.Image{Digests: []string{pay}})
			if d.Outcome != tt.want || (d.Permit != "") != (tt.want == admission.Warned) {
				t.Errorf("got %s", d)
			}
			if opts.Recorder != nil && r.err == nil && len(r.decisions) != 1 {
				t.Errorf("%d records", len(r.decisions))
			}
		})
	}
}

func TestPermitSignature(t *testing.T) {
	glass, ops := admissiontest.NewKey("glass"), admissiontest.NewKey("ops")
	p := permit(time.Now().UTC())
	envelope, err := p.Sign(t.Context(), glass)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := admission.OpenPermit(t.Context(), envelope, glass); err != nil || got.ID != p.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := admission.OpenPermit(t.Context(), envelope, ops); err == nil {
		t.Error("opened with the key of bundles")
	}
	if _, err := admission.OpenPermit(t.Context(), admissiontest.New("ops").Data(), ops); err == nil {
		t.Error("a bundle opened as a permit")
	}
	p.Digests = []string{"registry.example/pay:1.4"}
	if _, err := p.Sign(t.Context(), glass); err == nil {
		t.Error("a tag was signed")
	}
}
