package admission

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Held is the bundle that is at hand.
type Held struct {
	Bundle *bundle.Bundle
	// Mark is the latest time that was seen with it: a gate's clock is not believed when it is behind.
	Mark time.Time
}

// Bundles gives a gate what to decide by. Package agent's Store does. It is asked for each decision, so it must be quick,
// and is safe for concurrent use.
type Bundles interface {
	Current(ctx context.Context) (Held, error)
}

// Recorder keeps decisions that warned, denied or were made by a permit. [AuditLog] is one.
type Recorder interface {
	Record(ctx context.Context, gate string, d Decision) error
}

// Options of a gate. Bundles is required.
type Options struct {
	Bundles Bundles
	Policy  Policy
	// Name is the gate's, in records and for permits of one place: "node-17", "cluster/namespace".
	Name string
	// Evidence is asked about images that nothing else denies. Nil demands none. See [Cached].
	Evidence Evidence
	// Permits are break-glass permits. Nil knows none.
	Permits Permits
	// Recorder keeps the decisions. With nil permits can't be used, since nobody could tell afterwards.
	Recorder Recorder
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log receives records that could not be kept. Nil discards.
	Log *slog.Logger
}

// Gate decides. It is safe for concurrent use.
type Gate struct {
	opts Options
}

// NewGate returns a gate.
func NewGate(opts Options) *Gate {
	opts.Policy = opts.Policy.filled()
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Gate{opts: opts}
}

// Decide says whether an image may start. There is no error: what can't be answered is a denial that says so.
func (g *Gate) Decide(ctx context.Context, image Image) Decision {
	j := &judgement{gate: g, policy: g.opts.Policy, Decision: Decision{Image: image, At: g.opts.Now()}}
	j.judge(ctx)
	j.settle(ctx)
	return j.Decision
}

// Refuse is the denial of something that can't be judged: a request that can't be read, an image that can't be resolved.
func (g *Gate) Refuse(ctx context.Context, ref, rule, help string, err error) Decision {
	j := &judgement{gate: g, policy: g.opts.Policy, Decision: Decision{Image: Image{Ref: ref}, At: g.opts.Now()}}
	j.find(rule, Denied, help, "%s", err)
	j.settle(ctx)
	return j.Decision
}

// judgement is a decision in the making.
type judgement struct {
	Decision
	gate   *Gate
	policy Policy
	denied bool
	listed bool
}

func (j *judgement) judge(ctx context.Context) {
	if len(j.Image.all()) == 0 {
		j.find(RuleUnidentified, Denied, "name it by digest, or have the registry answer", "no digest of it is known")
		return
	}
	held, err := j.gate.opts.Bundles.Current(ctx)
	if err == nil && held.Bundle == nil {
		err = errors.New("none was ever fetched")
	}
	if err != nil {
		j.find(RuleNoBundle, Denied, "have the agent fetch one", "there is no deny bundle: %v", err)
		return
	}
	h := held.Bundle.Header()
	j.Bundle = BundleInfo{Name: h.Name, Version: h.Version, Issued: h.Issued, Expires: h.Expires}
	j.time(h, held.Mark)
	for _, digest := range j.Image.Digests {
		j.look(held.Bundle, digest, Denied)
	}
	if !j.listed {
		for _, digest := range j.Image.Indexes {
			j.look(held.Bundle, digest, Denied)
		}
	}
	j.layers(held.Bundle)
	if j.denied {
		return
	}
	if !j.listed && j.policy.Unknown != Allowed {
		j.find(RuleUnknown, j.policy.Unknown, "publish it through the build service, or have its repository scanned",
			"version %d of the deny bundle does not know it", h.Version)
	}
	if e := j.gate.opts.Evidence; e != nil && !j.denied {
		if err := e.Check(ctx, j.Image); err != nil {
			j.find(RuleEvidence, Denied, "build and test it through the pipeline", "the evidence that it needs: %v", err)
		}
	}
}

// time moves the decision to the latest time that was seen, and judges the age of the bundle.
func (j *judgement) time(h bundle.Header, mark time.Time) {
	if mark.Before(h.Issued) {
		mark = h.Issued
	}
	if behind := mark.Sub(j.At); behind > 0 {
		if behind > j.policy.Skew {
			j.find(RuleClock, Warned, "set the clock; a mark that is wrong is removed with the agent's --forget-time",
				"the clock is %s behind a time that was seen here: judged as of %s", behind.Round(time.Second), mark.Format(time.RFC3339))
		}
		j.At = mark
	}
	late := j.At.Sub(h.Expires)
	if late < 0 {
		return
	}
	outcome := Denied
	if late < j.policy.Grace {
		outcome = Warned
	}
	j.find(RuleExpired, outcome, "have the agent fetch a newer one", "version %d of the deny bundle expired %s ago, at %s",
		h.Version, late.Round(time.Second), h.Expires.Format(time.RFC3339))
}

// look judges by one digest.
func (j *judgement) look(b *bundle.Bundle, digest string, at Outcome) {
	entry, err := b.Find(digest)
	switch {
	case errors.Is(err, bundle.ErrDigest):
		j.find(RuleUnidentified, Denied, "name it by a SHA-256 digest", "%v", err)
		return
	case err != nil:
		j.find(RuleNoBundle, Denied, "have the agent fetch it again", "the deny bundle can't be read: %v", err)
		return
	}
	j.listed = j.listed || entry.Listed
	for _, d := range entry.Denials {
		j.ban(d, digest, at)
	}
}

// ban judges by one ban.
func (j *judgement) ban(d bundle.Denial, digest string, at Outcome) {
	if slices.ContainsFunc(j.Bans, func(h Hit) bool { return h.Ban.ID == d.Ban.ID }) {
		return // by another digest of the same image
	}
	rule, message := RuleBanned, "it is banned by "+d.Ban.ID
	switch {
	case !j.At.Before(d.Ban.DenyFrom):
	case !d.Ban.WarnFrom.IsZero() && !j.At.Before(d.Ban.WarnFrom):
		rule, at = RuleBanAnnounced, Warned
		message += " from " + d.Ban.DenyFrom.Format(time.RFC3339) + " on"
	default:
		return
	}
	j.Bans = append(j.Bans, Hit{Ban: d.Ban, Outcome: at, Digest: digest, Path: d.Path})
	message += ": " + d.Ban.Reason
	if d.Ban.Advisory != "" {
		message += " (" + d.Ban.Advisory + ")"
	}
	if len(d.Path) > 0 {
		steps := make([]string, len(d.Path))
		for i, s := range d.Path {
			steps[i] = s.String()
		}
		message += "; it stands on " + strings.Join(steps, ", which stands on ")
	}
	j.find(rule, at, d.Ban.WayOut, "%s", message)
}

// layers judges by what the image's layers begin with.
func (j *judgement) layers(b *bundle.Bundle) {
	if j.policy.Layers == Allowed || len(j.Image.Layers) == 0 {
		return
	}
	chains, err := chainIDs(j.Image.Layers)
	if err != nil {
		j.find(RuleUnidentified, Denied, "", "its layers: %v", err)
		return
	}
	known := j.listed // a chain of layers makes nothing known
	for _, chain := range chains {
		j.look(b, chain, j.policy.Layers)
	}
	j.listed = known
}

// find adds a reason.
func (j *judgement) find(rule string, outcome Outcome, help, format string, args ...any) {
	severity := finding.Warning
	if outcome != Warned {
		severity = finding.Error
		j.denied = true
	}
	j.Findings = append(j.Findings, finding.Finding{
		Rule: rule, Severity: severity, Place: finding.Place{Image: j.Image.Name()}, Message: fmt.Sprintf(format, args...), Help: help,
	})
}

// settle makes the outcome of the reasons, and records it.
func (j *judgement) settle(ctx context.Context) {
	if j.denied {
		j.breakGlass(ctx)
	}
	finding.Sort(j.Findings)
	switch {
	case j.denied:
		j.Outcome = Denied
	case len(j.Findings) > 0:
		j.Outcome = Warned
	default:
		j.Outcome = Allowed
		return
	}
	r := j.gate.opts.Recorder
	if r == nil {
		return
	}
	if err := r.Record(ctx, j.gate.opts.Name, j.Decision); err != nil {
		j.gate.opts.Log.Error("a decision could not be recorded", "decision", j.String(), "error", err)
		if j.Permit != "" {
			j.Permit, j.Outcome = "", Denied
			j.find(RulePermitBad, Denied, "mend the audit log", "a permit can't be used without a record: %v", err)
			finding.Sort(j.Findings)
		}
	}
}
