package attack_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/agent"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// The images of the table. The base 12.8 is banned; pay stands on it and shop does not.
var (
	digest = admissiontest.Digest
	pay    = start{ref: "registry.example/pay:1", manifest: digest("pay"), config: digest("config of pay")}
	shop   = start{ref: "registry.example/shop:1", manifest: digest("shop"), config: digest("config of shop")}
	multi  = digest("an index with a banned platform and a good one")
	layers = []string{digest("layer of 12.8"), digest("layer of pay")}
)

// bans is the bundle of the table.
func bans() *admissiontest.Deny {
	d := admissiontest.New("test")
	d.Ban("BAN-7", "build on base/debian:12.9", pay.manifest, pay.config, multi)
	chain := lineage.Chains(layers[:1])[0] // of the base, by which images are recognised that nobody recorded
	d.Ban("BAN-7", "build on base/debian:12.9", chain)
	d.Know(shop.manifest, shop.config)
	return d
}

// attempt is one way to start what must not start.
type attempt struct {
	name  string
	start start
	// bundle changes what the gates hold, or what the attacker made of it. Nil leaves it.
	bundle func(t *testing.T, d *admissiontest.Deny, opts *admission.Options)
	// rule is what stops it at every gate that meets it: "BAN-7", or "BAN-7 or AD1003" where some gates are told too little
	// to recognise it and refuse it as unknown.
	rule string
}

func with(s start, change func(*start)) start {
	change(&s)
	return s
}

var attempts = []attempt{
	{name: "the banned image", start: pay, rule: "BAN-7"},
	{name: "tag moved to it after the check", start: with(shop, func(s *start) { s.manifest, s.config = pay.manifest, pay.config }), rule: "BAN-7"},
	{name: "retagged copy", start: with(pay, func(s *start) { s.ref = "registry.example/shop:1" }), rule: "BAN-7"},
	{name: "copy in another registry", start: with(pay, func(s *start) { s.ref = "mirror.example:5000/a/b:1" }), rule: "BAN-7"},
	{name: "copy under a name of nobody's", start: with(pay, func(s *start) { s.ref = "scratchpad" }), rule: "BAN-7"},
	{name: "name with a tag and the banned digest", start: with(pay, func(s *start) { s.ref = "registry.example/shop:1@" + pay.manifest }), rule: "BAN-7"},
	{name: "image id instead of a name", start: with(pay, func(s *start) { s.ref = pay.config }), rule: "BAN-7"},
	{name: "repacked: another manifest with the same config", start: with(pay, func(s *start) { s.manifest = digest("repacked") }), rule: "BAN-7 or AD1003"},
	{name: "reconfigured: another config, the manifest claimed", start: with(pay, func(s *start) { s.config = digest("reconfigured") }), rule: "BAN-7"},
	{name: "index with a banned platform, which is this one", start: with(pay, func(s *start) { s.index = multi }), rule: "BAN-7"},
	{name: "an index that nobody recorded around the banned platform", start: with(pay, func(s *start) { s.index = digest("new index") }), rule: "BAN-7 or AD1003"},
	{name: "loaded from an archive (docker load)", start: start{ref: "loaded:1", config: pay.config}, rule: "BAN-7"},
	{name: "imported (docker import): nothing is known of it", start: start{ref: "imported:1", config: digest("imported")}, rule: "AD1003"},
	{name: "committed from a container on the banned base", start: start{ref: "committed:1", config: digest("committed"), layers: append(layers[:2:2], digest("commit"))}, rule: "BAN-7 or AD1003"},
	{name: "built past the service on the banned base", start: start{ref: "registry.example/x:1", manifest: digest("x"), config: digest("config of x"), layers: layers}, rule: "BAN-7 or AD1003"},
	{name: "squashed: no layer of the base is left", start: start{ref: "registry.example/flat:1", manifest: digest("flat"), config: digest("config of flat"), layers: []string{digest("flat layer")}}, rule: "AD1003"},
	{name: "cached image, the registry down", start: with(pay, func(s *start) { s.offline = true }), rule: "BAN-7"},
	{name: "no digest at all", start: start{ref: "ghost:1"}, rule: "AD1005"},
	{name: "a digest that is none", start: with(pay, func(s *start) { s.manifest, s.config = "sha256:123", "sha256:123" }), rule: "AD1005"},
	{name: "a digest in capitals", start: with(pay, func(s *start) { s.manifest, s.config = strings.ToUpper(pay.manifest), strings.ToUpper(pay.config) }), rule: "AD1005"},
	{name: "a digest of a broken algorithm", start: with(pay, func(s *start) {
		s.manifest, s.config = "md5:"+strings.Repeat("0", 32), "md5:"+strings.Repeat("0", 32)
	}), rule: "AD1005"},

	{name: "no bundle", start: shop, bundle: func(_ *testing.T, d *admissiontest.Deny, _ *admission.Options) {
		d.Fail(errors.New("no such file"))
	}, rule: "AD1006"},
	{name: "stale bundle", start: shop, bundle: func(_ *testing.T, d *admissiontest.Deny, _ *admission.Options) {
		d.Date(time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour))
	}, rule: "AD1007"},
	{name: "stale bundle, clock set back before its end", start: shop, bundle: func(_ *testing.T, d *admissiontest.Deny, opts *admission.Options) {
		d.Mark(time.Now().Add(48 * time.Hour))
		opts.Now = time.Now
	}, rule: "AD1007"},
	{name: "clock set back before the ban", start: pay, bundle: func(_ *testing.T, _ *admissiontest.Deny, opts *admission.Options) {
		opts.Now = func() time.Time { return time.Now().AddDate(-1, 0, 0) }
	}, rule: "BAN-7"},
	{name: "clock set forward past the bundle", start: shop, bundle: func(_ *testing.T, _ *admissiontest.Deny, opts *admission.Options) {
		opts.Now = func() time.Time { return time.Now().AddDate(1, 0, 0) }
	}, rule: "AD1007"},
	{name: "ban that comes to hold between two bundles", start: shop, bundle: func(_ *testing.T, d *admissiontest.Deny, opts *admission.Options) {
		d.Add(func(b *bundle.Builder) {
			ban := b.Ban(bundle.Ban{ID: "BAN-8", Reason: "later", DenyFrom: time.Now().Add(10 * time.Minute)})
			b.Deny(shop.manifest, bundle.Cause{Ban: ban})
			b.Deny(shop.config, bundle.Cause{Ban: ban})
		})
		opts.Now = func() time.Time { return time.Now().Add(20 * time.Minute) }
	}, rule: "BAN-8"},
	{name: "bundle on disk replaced by an older one", start: shop, bundle: onDisk(func(versions [][]byte) []byte { return versions[0] }), rule: "AD1006"},
	{name: "bundle on disk signed by somebody else", start: shop, bundle: onDisk(func([][]byte) []byte { return admissiontest.New("stranger").Data() }), rule: "AD1006"},
	{name: "bundle on disk cut off", start: shop, bundle: onDisk(func(versions [][]byte) []byte { return versions[1][:len(versions[1])/2] }), rule: "AD1006"},
	{name: "bundle on disk emptied", start: shop, bundle: onDisk(func([][]byte) []byte { return nil }), rule: "AD1006"},
	{name: "bundle on disk with one bit flipped", start: shop, bundle: onDisk(func(versions [][]byte) []byte {
		data := bytes.Clone(versions[1])
		data[len(data)-40] ^= 1
		return data
	}), rule: "AD1006"},
	{name: "bundle of another stream", start: shop, bundle: onDisk(func([][]byte) []byte {
		other := admissiontest.New("staging")
		other.Know(shop.manifest, shop.config)
		return other.Data()
	}), rule: "AD1006"},
	{name: "no provenance, where it is demanded", start: shop, bundle: func(_ *testing.T, _ *admissiontest.Deny, opts *admission.Options) {
		opts.Evidence = admission.EvidenceFunc(func(context.Context, admission.Image) error { return errors.New("nobody signed for it") })
	}, rule: "AD1004"},
	{name: "evidence that can't be read", start: shop, bundle: func(_ *testing.T, _ *admissiontest.Deny, opts *admission.Options) {
		opts.Evidence = admission.EvidenceFunc(func(context.Context, admission.Image) error { return context.DeadlineExceeded })
	}, rule: "AD1004"},
	{name: "break-glass for another image", start: pay, bundle: permit(func(p *admission.Permit) { p.Digests = []string{shop.config} }), rule: "BAN-7"},
	{name: "break-glass that has ended", start: pay, bundle: permit(func(p *admission.Permit) { p.Until = time.Now().Add(-time.Minute) }), rule: "BAN-7"},
	{name: "break-glass for longer than may be", start: pay, bundle: permit(func(p *admission.Permit) { p.Until = time.Now().AddDate(1, 0, 0) }), rule: "BAN-7"},
	{name: "break-glass that begins later", start: pay, bundle: permit(func(p *admission.Permit) { p.From = time.Now().Add(time.Hour) }), rule: "BAN-7"},
	{name: "break-glass for another gate", start: pay, bundle: permit(func(p *admission.Permit) { p.Gates = []string{"node-18"} }), rule: "BAN-7"},
	{name: "break-glass that its author approved", start: pay, bundle: permit(func(p *admission.Permit) { p.Approver = p.Author }), rule: "BAN-7"},
	{name: "break-glass that nobody records", start: pay, bundle: func(t *testing.T, d *admissiontest.Deny, opts *admission.Options) {
		permit(func(*admission.Permit) {})(t, d, opts)
		opts.Recorder = nil
	}, rule: "BAN-7"},
}

// onDisk has the gates read their bundle from an agent's directory in which the attacker replaced it.
func onDisk(forge func(versions [][]byte) []byte) func(*testing.T, *admissiontest.Deny, *admission.Options) {
	return func(t *testing.T, d *admissiontest.Deny, opts *admission.Options) {
		t.Helper()
		dir := t.TempDir()
		options := agent.Options{Name: "test", Verifier: d.Key}
		store, err := agent.Open(dir, options)
		if err != nil {
			t.Fatal(err)
		}
		old := d.Data()
		d.Ban("BAN-9", "none", digest("something else"))
		if _, err := store.Adopt(t.Context(), d.Data()); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "deny.bundle"), forge([][]byte{old, d.Data()}), 0o600); err != nil {
			t.Fatal(err)
		}
		next, err := agent.Open(dir, options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = next.Close() })
		opts.Bundles = next
	}
}

// permit gives the gates a permit that is not quite one for pay.
func permit(spoil func(*admission.Permit)) func(*testing.T, *admissiontest.Deny, *admission.Options) {
	return func(_ *testing.T, _ *admissiontest.Deny, opts *admission.Options) {
		p := admission.Permit{
			ID: "BG-1", Digests: []string{pay.manifest, pay.config}, Reason: "the shop is closed otherwise", Author: "ana", Approver: "bo",
			From: time.Now().Add(-time.Minute), Until: time.Now().Add(time.Hour),
		}
		spoil(&p)
		opts.Permits = admission.PermitList{p}
		opts.Recorder = recorder{}
	}
}

type recorder struct{}

func (recorder) Record(context.Context, string, admission.Decision) error { return nil }

// judge asks every place that can meet an attempt, and returns what each says.
func judge(t *testing.T, a attempt) map[string]verdict {
	t.Helper()
	said := map[string]verdict{}
	for _, g := range gates {
		if g.blind(a.start) != "" {
			continue
		}
		d := bans()
		opts := admission.Options{Bundles: d, Name: "node-17"}
		if a.bundle != nil {
			a.bundle(t, d, &opts)
		}
		said[g.name] = g.ask(t, admission.NewGate(opts), a.start)
	}
	return said
}

// Every attempt is refused at every place that can meet it.
func TestStarts(t *testing.T) {
	met := 0
	for _, a := range attempts {
		t.Run(a.name, func(t *testing.T) {
			for place, answer := range judge(t, a) {
				met++
				if !slices.ContainsFunc(strings.Split(a.rule, " or "), func(rule string) bool { return strings.Contains(string(answer), rule) }) {
					t.Errorf("%s said %q, want %s", place, answer, a.rule)
				}
			}
		})
	}
	t.Logf("%d attempts, %d refusals at %d places", len(attempts), met, len(gates))
	if len(attempts) < 40 {
		t.Errorf("%d attempts", len(attempts))
	}
}

// What is good starts at the same places, or refusing would prove nothing.
func TestGoodStarts(t *testing.T) {
	for _, a := range []attempt{
		{name: "a good image", start: shop},
		{name: "the good platform of the index", start: with(shop, func(s *start) { s.index = digest("index of shop") }), bundle: func(_ *testing.T, d *admissiontest.Deny, _ *admission.Options) {
			d.Know(digest("index of shop"))
		}},
		{name: "a banned one with a permit", start: pay, bundle: permit(func(*admission.Permit) {})},
	} {
		for place, answer := range judge(t, a) {
			if answer != "" {
				t.Errorf("%s: %s said %q", a.name, place, answer)
			}
		}
	}
}
