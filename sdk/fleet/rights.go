package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

// Rights say who may order what on which part of the fleet. What no grant gives is refused.
type Rights struct {
	Grants []Grant `json:"grants"`
}

// Grant gives people strategies on a part of the fleet.
type Grant struct {
	// Who are the names of those who order, as the caller knows them; "*" is everybody.
	Who []string `json:"who"`
	// Strategies that they may take. Default all.
	Strategies []Strategy `json:"strategies,omitempty"`
	// Where is the part of the fleet, for package fleet/where; compiled it is Selector.
	Where    string   `json:"where"`
	Selector Selector `json:"-"`
	// Approval says that a second person must approve.
	Approval bool `json:"approval,omitempty"`
}

// ParseRights reads rights from YAML. Compile makes selectors of conditions.
func ParseRights(name string, text []byte, compile func(condition string) (Selector, error)) (*Rights, error) {
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var r Rights
	d := json.NewDecoder(bytes.NewReader(asJSON))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for n := range r.Grants {
		g := &r.Grants[n]
		if len(g.Who) == 0 {
			return nil, fmt.Errorf("%s: grants[%d].who: nobody is named; \"*\" means everybody", name, n)
		}
		if g.Selector, err = compile(g.Where); err != nil {
			return nil, fmt.Errorf("%s: grants[%d].where: %w", name, n, err)
		}
	}
	return &r, nil
}

// allow says why somebody may not take a strategy on an instance; "" if they may. Nil rights allow everything.
func (r *Rights) allow(by string, s Strategy, i Instance, approved bool) string {
	if r == nil {
		return ""
	}
	reason := fmt.Sprintf("no grant lets %s %s there", by, s)
	for _, g := range r.Grants {
		if !slices.Contains(g.Who, by) && !slices.Contains(g.Who, "*") ||
			len(g.Strategies) > 0 && !slices.Contains(g.Strategies, s) ||
			g.Selector == nil || g.Selector.Select(&i).Meant != Yes {
			continue
		}
		if !g.Approval || approved {
			return ""
		}
		reason = fmt.Sprintf("%s may %s there when a second person has approved", by, s)
	}
	return reason
}

// Approval is a second person's word for a remedy. Who makes one has checked that it is theirs, such as by a signature.
type Approval struct {
	// Remedy is its digest: one that was changed afterwards is not approved.
	Remedy string    `json:"remedy"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	// Until is when it ends. Zero means with the remedy.
	Until time.Time `json:"until,omitzero"`
}

// Errors of orders. Nothing was done.
var (
	ErrExpired    = errors.New("the remedy has expired")
	ErrUnapproved = errors.New("the remedy needs a second person's approval")
)

// approved says whether a second person approves of an order now.
func (o Order) approved(now time.Time) bool {
	return slices.ContainsFunc(o.Approvals, func(a Approval) bool {
		return a.Remedy == o.Remedy.Digest() && a.By != "" && a.By != o.By && (a.Until.IsZero() || now.Before(a.Until))
	})
}
