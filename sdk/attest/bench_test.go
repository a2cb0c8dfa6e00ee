package attest_test

import (
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

// What it costs to verify an index of two platforms with provenance and the verdicts of lint and tests: from a registry on
// loopback (the manifest, the list of what refers to it, three statements), and once it is known.
func BenchmarkVerify(b *testing.B) {
	s := newShop(b)
	s.attach(b, s.good(b)...)
	s.policy.MaxAge = 24 * time.Hour
	warm := attest.Cached(s.store, time.Hour, time.Now)
	for name, source := range map[string]attest.Source{"cold": s.store, "warm": warm} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := attest.Verify(b.Context(), source, s.ref, s.policy); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
