package admission

import (
	"fmt"
	"time"
)

// Policy is what Ops decides about what a bundle can't know. The zero value is the strict one: unknown images are
// denied, and everything is once the bundle has expired.
type Policy struct {
	// Unknown is for images that the bundle neither denies nor knows. Default: [Denied].
	Unknown Outcome `json:"unknown,omitempty"`
	// Layers is for images that are recognised by their layers only. Default: [Denied], as by any other evidence. With
	// [Allowed] layers are not looked at.
	Layers Outcome `json:"layers,omitempty"`
	// Grace is how long after a bundle has expired starts are judged by it all the same, each with a warning. Default: not
	// at all.
	Grace time.Duration `json:"grace,omitempty"`
	// Skew is by how much the clock may be behind the latest time that was seen before it counts as set back. Default: 5m.
	Skew time.Duration `json:"skew,omitempty"`
	// PermitLimit is the longest time that a break-glass permit may be for; longer ones are none. Default: 24h.
	PermitLimit time.Duration `json:"permitLimit,omitempty"`
}

// filled returns the policy with its defaults.
func (p Policy) filled() Policy {
	if p.Unknown == "" {
		p.Unknown = Denied
	}
	if p.Layers == "" {
		p.Layers = Denied
	}
	if p.Skew <= 0 {
		p.Skew = 5 * time.Minute
	}
	if p.PermitLimit <= 0 {
		p.PermitLimit = 24 * time.Hour
	}
	return p
}

// ParseOutcome reads "allowed", "warned" or "denied", and for convenience "allow", "warn" and "deny".
func ParseOutcome(s string) (Outcome, error) {
	switch s {
	case "allow", string(Allowed):
		return Allowed, nil
	case "warn", string(Warned):
		return Warned, nil
	case "deny", string(Denied):
		return Denied, nil
	}
	return "", fmt.Errorf("%.40q is not one of allow, warn, deny", s)
}
