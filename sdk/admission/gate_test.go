package admission_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
)

var (
	pay   = admissiontest.Digest("pay")   // denied
	shop  = admissiontest.Digest("shop")  // known
	alien = admissiontest.Digest("alien") // not in the bundle
)

func newDeny() *admissiontest.Deny {
	d := admissiontest.New("test")
	d.Ban("BAN-7", "build on base/debian:12.9", pay)
	d.Know(shop)
	return d
}

func Example() {
	gate := admission.NewGate(admission.Options{Bundles: newDeny()})
	fmt.Println(gate.Decide(context.Background(), admission.Image{Ref: "registry.example/shop:1", Digests: []string{shop}}).Outcome)
	d := gate.Decide(context.Background(), admission.Image{Ref: "registry.example/pay:1.4", Digests: []string{pay}})
	fmt.Println(d.Outcome)
	f := d.Findings[0]
	fmt.Println(f.Message)
	fmt.Println(f.Help)
	// Output:
	// allowed
	// denied
	// it is banned by BAN-7: CVE-2026-12345 in openssl; it stands on base/debian:12.8 (base, by signed provenance)
	// build on base/debian:12.9
}

func rules(d admission.Decision) string {
	var ids []string
	for _, f := range d.Findings {
		ids = append(ids, f.Rule+" "+f.Severity.String())
	}
	slices.Sort(ids)
	return strings.Join(ids, ", ")
}

func TestDecide(t *testing.T) {
	now := time.Now()
	broken := errors.New("the disk is on fire")
	refuses := admission.EvidenceFunc(func(context.Context, admission.Image) error { return errors.New("no provenance") })
	accepts := admission.EvidenceFunc(func(context.Context, admission.Image) error { return nil })
	tests := []struct {
		name   string
		image  admission.Image
		change func(*admissiontest.Deny, *admission.Options)
		want   admission.Outcome
		rules  string
	}{
		{name: "known", image: admission.Image{Digests: []string{shop}}, want: admission.Allowed},
		{name: "banned", image: admission.Image{Digests: []string{pay}}, want: admission.Denied, rules: "AD1001 error"},
		{name: "banned by its second digest", image: admission.Image{Digests: []string{shop, pay}}, want: admission.Denied, rules: "AD1001 error"},
		{name: "banned by its index", image: admission.Image{Indexes: []string{pay}}, want: admission.Denied, rules: "AD1001 error"},
		{name: "another platform of its index", image: admission.Image{Digests: []string{shop}, Indexes: []string{pay}}, want: admission.Allowed},
		{name: "index banned, manifest not known", image: admission.Image{Digests: []string{alien}, Indexes: []string{pay}}, want: admission.Denied, rules: "AD1001 error"},
		{name: "unknown", image: admission.Image{Digests: []string{alien}}, want: admission.Denied, rules: "AD1003 error"},
		{
			name: "unknown, warned", image: admission.Image{Digests: []string{alien}}, want: admission.Warned, rules: "AD1003 warning",
			change: func(_ *admissiontest.Deny, o *admission.Options) { o.Policy.Unknown = admission.Warned },
		},
		{
			name: "unknown, allowed", image: admission.Image{Digests: []string{alien}}, want: admission.Allowed,
			change: func(_ *admissiontest.Deny, o *admission.Options) { o.Policy.Unknown = admission.Allowed },
		},
		{name: "no digest", image: admission.Image{Ref: "registry.example/pay:1"}, want: admission.Denied, rules: "AD1005 error"},
		{name: "malformed digest", image: admission.Image{Digests: []string{"sha256:123"}}, want: admission.Denied, rules: "AD1005 error"},
		{name: "known, and one digest of another algorithm", image: admission.Image{Digests: []string{shop, "sha512:" + strings.Repeat("0", 128)}}, want: admission.Denied, rules: "AD1005 error"},
		{
			name: "no bundle", image: admission.Image{Digests: []string{shop}}, want: admission.Denied, rules: "AD1006 error",
			change: func(d *admissiontest.Deny, _ *admission.Options) { d.Fail(broken) },
		},
		{
			name: "expired", image: admission.Image{Digests: []string{shop}}, want: admission.Denied, rules: "AD1007 error",
			change: func(d *admissiontest.Deny, _ *admission.Options) { d.Date(now.Add(-2*time.Hour), now.Add(-time.Hour)) },
		},
		{
			name: "expired, in its grace", image: admission.Image{Digests: []string{shop}}, want: admission.Warned, rules: "AD1007 warning",
			change: func(d *admissiontest.Deny, o *admission.Options) {
				d.Date(now.Add(-2*time.Hour), now.Add(-time.Hour))
				o.Policy.Grace = 90 * time.Minute
			},
		},
		{
			name: "expired, in its grace, and banned", image: admission.Image{Digests: []string{pay}}, want: admission.Denied, rules: "AD1001 error, AD1007 warning",
			change: func(d *admissiontest.Deny, o *admission.Options) {
				d.Date(now.Add(-2*time.Hour), now.Add(-time.Hour))
				o.Policy.Grace = 90 * time.Minute
			},
		},
		{
			name: "expired, past its grace", image: admission.Image{Digests: []string{shop}}, want: admission.Denied, rules: "AD1007 error",
			change: func(d *admissiontest.Deny, o *admission.Options) {
				d.Date(now.Add(-2*time.Hour), now.Add(-time.Hour))
				o.Policy.Grace = 30 * time.Minute
			},
		},
		{
			name: "clock set back before the expiry", image: admission.Image{Digests: []string{shop}}, want: admission.Denied, rules: "AD1007 error, AD1008 warning",
			change: func(d *admissiontest.Deny, o *admission.Options) {
				d.Mark(now.Add(3 * time.Hour)) // the bundle has expired by then
				o.Now = func() time.Time { return now }
			},
		},
		{
			name: "clock set back before the bundle was issued", image: admission.Image{Digests: []string{pay}}, want: admission.Denied, rules: "AD1001 error, AD1008 warning",
			change: func(_ *admissiontest.Deny, o *admission.Options) {
				o.Now = func() time.Time { return now.AddDate(-1, 0, 0) }
			},
		},
		{
			name: "clock a little behind", image: admission.Image{Digests: []string{shop}}, want: admission.Allowed,
			change: func(d *admissiontest.Deny, _ *admission.Options) { d.Mark(now.Add(time.Minute)) },
		},
		{
			name: "ban announced", image: admission.Image{Digests: []string{alien}}, want: admission.Warned, rules: "AD1002 warning",
			change: func(d *admissiontest.Deny, _ *admission.Options) {
				ban(d, alien, now.Add(-time.Hour), now.Add(time.Hour))
			},
		},
		{
			name: "ban not announced yet", image: admission.Image{Digests: []string{alien}}, want: admission.Allowed,
			change: func(d *admissiontest.Deny, _ *admission.Options) {
				ban(d, alien, now.Add(time.Hour), now.Add(2*time.Hour))
			},
		},
		{
			name: "ban that has come to hold since the bundle was made", image: admission.Image{Digests: []string{alien}}, want: admission.Denied, rules: "AD1001 error",
			change: func(d *admissiontest.Deny, o *admission.Options) {
				ban(d, alien, time.Time{}, now.Add(30*time.Minute))
				o.Now = func() time.Time { return now.Add(45 * time.Minute) }
			},
		},
		{
			name: "no evidence", image: admission.Image{Digests: []string{shop}}, want: admission.Denied, rules: "AD1004 error",
			change: func(_ *admissiontest.Deny, o *admission.Options) { o.Evidence = refuses },
		},
		{
			name: "evidence", image: admission.Image{Digests: []string{shop}}, want: admission.Allowed,
			change: func(_ *admissiontest.Deny, o *admission.Options) { o.Evidence = accepts },
		},
		{
			name: "banned with evidence", image: admission.Image{Digests: []string{pay}}, want: admission.Denied, rules: "AD1001 error",
			change: func(_ *admissiontest.Deny, o *admission.Options) { o.Evidence = accepts },
		},
		{
			name: "committed from an image on a banned base", image: admission.Image{Digests: []string{alien}, Layers: []string{shop, pay, alien}},
			want: admission.Denied, rules: "AD1001 error",
			change: func(d *admissiontest.Deny, o *admission.Options) {
				o.Policy.Unknown = admission.Allowed
				d.Ban("BAN-8", "", chain(shop, pay))
			},
		},
		{
			name: "layers are not looked at", image: admission.Image{Digests: []string{alien}, Layers: []string{shop, pay, alien}},
			want: admission.Allowed,
			change: func(d *admissiontest.Deny, o *admission.Options) {
				o.Policy.Unknown, o.Policy.Layers = admission.Allowed, admission.Allowed
				d.Ban("BAN-8", "", chain(shop, pay))
			},
		},
		{
			name: "the lowest layer alone is another base", image: admission.Image{Digests: []string{alien}, Layers: []string{shop, alien}},
			want: admission.Allowed,
			change: func(d *admissiontest.Deny, o *admission.Options) {
				o.Policy.Unknown = admission.Allowed
				d.Ban("BAN-8", "", chain(shop, pay))
			},
		},
		{
			name: "a layer that is known makes no image known", image: admission.Image{Digests: []string{alien}, Layers: []string{shop}},
			want: admission.Denied, rules: "AD1003 error",
		},
		{
			name: "layers that are none", image: admission.Image{Digests: []string{shop}, Layers: []string{"?"}},
			want: admission.Denied, rules: "AD1005 error",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			deny := newDeny()
			opts := admission.Options{Bundles: deny}
			if tt.change != nil {
				tt.change(deny, &opts)
			}
			d := admission.NewGate(opts).Decide(t.Context(), tt.image)
			if d.Outcome != tt.want || rules(d) != tt.rules {
				t.Errorf("got %s by %q, want %s by %q\n%s", d.Outcome, rules(d), tt.want, tt.rules, d)
			}
			if err := d.Err(); errors.Is(err, admission.ErrDenied) != (tt.want == admission.Denied) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func ban(d *admissiontest.Deny, digest string, warn, deny time.Time) {
	d.Add(func(b *bundle.Builder) {
		b.Deny(digest, bundle.Cause{Ban: b.Ban(bundle.Ban{ID: "BAN-9", Reason: "old", WarnFrom: warn, DenyFrom: deny})})
	})
}

func chain(layers ...string) string {
	id := layers[0]
	for _, l := range layers[1:] {
		id = admissiontest.Digest(id + " " + l)
	}
	return id
}

// An answer that nobody gave denies.
func TestZeroDecisionDenies(t *testing.T) {
	if err := (admission.Decision{}).Err(); !errors.Is(err, admission.ErrDenied) {
		t.Errorf("got %v", err)
	}
}

func TestEvidenceIsAskedOnce(t *testing.T) {
	now := time.Now()
	asked := 0
	fails := errors.New("no verdict")
	var answer error
	e := admission.Cached(admission.EvidenceFunc(func(context.Context, admission.Image) error { asked++; return answer }), time.Hour, func() time.Time { return now })
	check := func(want error, times int, digests ...string) {
		t.Helper()
		if err := e.Check(t.Context(), admission.Image{Digests: digests}); !errors.Is(err, want) || asked != times {
			t.Errorf("%v after asking %d times, want %v after %d", err, asked, want, times)
		}
	}
	check(nil, 1, shop)
	check(nil, 1, shop)
	check(nil, 2, pay)
	check(nil, 3, pay, shop) // another image, although it shares a digest
	check(nil, 3, shop, pay)
	answer = fails
	check(fails, 4, alien)
	check(fails, 4, alien)
	check(nil, 4, shop)
	now = now.Add(time.Second) // a failure is not kept
	answer = nil
	check(nil, 5, alien)
	now = now.Add(2 * time.Hour)
	check(nil, 6, shop)
}
