package audit

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// What [Verify] finds.
const (
	RuleChanged   = "AU1001" // a line's bytes are not those that were written
	RuleRemoved   = "AU1002" // lines are missing
	RuleMoved     = "AU1003" // a line stands elsewhere than it was written, or twice
	RuleRewritten = "AU1004" // a checkpoint knows another line, or one that is not there
	RuleTorn      = "AU1005" // the last line is unfinished: a crash, or a writer at work
)

// VerifyOptions are what is known of a log from elsewhere.
type VerifyOptions struct {
	// Checkpoints were kept where who can write the log can't. Without any, a log that was written anew or cut at its end
	// looks whole.
	Checkpoints []Checkpoint
	// After is the checkpoint of the last line that is in the archive and not in these files any more. Zero: they begin
	// with line 1.
	After Checkpoint
}

// Verified is what [Verify] saw.
type Verified struct {
	// Lines is how many whole lines there are.
	Lines uint64 `json:"lines"`
	// Last is the last one. Its Log is empty: lines do not say whose they are.
	Last Checkpoint `json:"last"`
	// Findings name what is wrong, in the order of the lines. None at or above finding.Error: the log is whole.
	Findings []finding.Finding `json:"findings,omitempty"`
}

// Verify reads a whole log and finds the lines that were changed, removed or put elsewhere. An error means that it could
// not be read.
func Verify(fsys fs.FS, opts VerifyOptions) (*Verified, error) {
	names, err := files(fsys)
	if err != nil {
		return nil, err
	}
	v := &verifier{next: opts.After.Seq + 1, prev: opts.After.Hash, missing: map[uint64]finding.Place{}, marks: map[uint64][]Checkpoint{}}
	for _, c := range opts.Checkpoints {
		if c.Seq > opts.After.Seq {
			v.marks[c.Seq] = append(v.marks[c.Seq], c)
		}
	}
	for i, name := range names {
		for l, err := range lines(fsys, name) {
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, l.number, err)
			}
			v.place = finding.Place{File: name, Start: finding.Position{Line: l.number, Column: 1, Offset: l.offset}}
			if l.torn {
				v.torn(i == len(names)-1)
				continue
			}
			v.line(l.text)
		}
	}
	v.end()
	return &v.out, nil
}

// verifier walks over the lines of a log.
type verifier struct {
	out   Verified
	place finding.Place // of the line at hand
	prev  string        // the hash that the next line names; "" when it can't be known
	next  uint64        // the number of the next line

	before     finding.Place            // of the line before
	suspicious bool                     // the line before was already reported
	missing    map[uint64]finding.Place // numbers that were jumped over, and where
	marks      map[uint64][]Checkpoint
}

// maxMissing is how many missing numbers are remembered one by one: of a larger gap the first are.
const maxMissing = 1 << 16

func (v *verifier) line(text []byte) {
	v.out.Lines++
	e, err := parse(text)
	if err != nil {
		v.report(RuleChanged, v.place, fmt.Sprintf("line %d of the log was changed: %v", v.next, err))
		v.pass(v.next, e.Hash, true)
		return
	}
	switch {
	case e.Seq == v.next:
		v.chained(e)
	case e.Seq > v.next:
		for n := v.next; n < e.Seq && len(v.missing) < maxMissing; n++ {
			v.missing[n] = v.place
		}
		if e.Seq-v.next > maxMissing {
			v.report(RuleRemoved, v.place, fmt.Sprintf("lines %d to %d of the log are missing before this one", v.next, e.Seq-1))
			clear(v.missing)
		}
	default:
		v.report(RuleMoved, v.place, fmt.Sprintf("line %d of the log stands where line %d should", e.Seq, v.next))
		delete(v.missing, e.Seq)
		v.check(e)
		v.before, v.suspicious, v.prev = v.place, true, ""
		return
	}
	v.check(e)
	v.pass(e.Seq, e.Hash, false)
	v.out.Last = Checkpoint{Seq: e.Seq, Hash: e.Hash, Time: e.Time}
}

// chained checks that a line names the hash of the one before it. If not, the one before was changed together with its
// own hash, or this one was.
func (v *verifier) chained(e Entry) {
	if v.prev == e.Prev || v.suspicious || v.prev == "" && e.Seq > 1 {
		return
	}
	place, what := v.before, fmt.Sprintf("line %d of the log was changed", e.Seq-1)
	if place.File == "" {
		place, what = v.place, fmt.Sprintf("line %d of the log is not the one that follows", e.Seq)
	}
	v.report(RuleChanged, place, fmt.Sprintf("%s: it has the hash %s, and line %d was written after one with %s", what, v.prev, e.Seq, e.Prev))
}

// check compares a line with the checkpoints for it.
func (v *verifier) check(e Entry) {
	for _, c := range v.marks[e.Seq] {
		if c.Hash != e.Hash {
			v.report(RuleRewritten, v.place, fmt.Sprintf("line %d of the log has the hash %s, the checkpoint of %s has %s: this line or one before was written anew",
				e.Seq, e.Hash, c.Time.UTC().Format("2006-01-02T15:04:05Z"), c.Hash))
		}
	}
	delete(v.marks, e.Seq)
}

func (v *verifier) pass(seq uint64, hash string, suspicious bool) {
	v.next, v.prev, v.before, v.suspicious = seq+1, hash, v.place, suspicious
}

func (v *verifier) torn(last bool) {
	if last {
		v.out.Findings = append(v.out.Findings, finding.Finding{
			Rule: RuleTorn, Severity: finding.Info, Place: v.place,
			Message: fmt.Sprintf("line %d of the log is unfinished", v.next),
			Help:    "a writer is at work, or was stopped by a crash; the next one takes it off",
		})
		return
	}
	v.report(RuleChanged, v.place, fmt.Sprintf("line %d of the log was cut short", v.next))
	v.suspicious = true
}

// end reports what did not turn up.
func (v *verifier) end() {
	var gap []uint64
	flush := func() {
		if len(gap) == 0 {
			return
		}
		what := fmt.Sprintf("line %d of the log is missing before this one", gap[0])
		if len(gap) > 1 {
			what = fmt.Sprintf("lines %d to %d of the log are missing before this one", gap[0], gap[len(gap)-1])
		}
		v.report(RuleRemoved, v.missing[gap[0]], what)
		gap = gap[:0]
	}
	for _, n := range slices.Sorted(maps.Keys(v.missing)) {
		if len(gap) > 0 && gap[len(gap)-1]+1 != n {
			flush()
		}
		gap = append(gap, n)
	}
	flush()
	for _, seq := range slices.Sorted(maps.Keys(v.marks)) {
		place := v.place
		if place.File == "" {
			place.File = fileName(1)
		}
		if _, gone := v.missing[seq]; seq > 0 && !gone {
			v.report(RuleRewritten, place, fmt.Sprintf("the log ends with line %d, and a checkpoint knows line %d: its end was cut off", v.next-1, seq))
		}
	}
	v.out.Findings = finding.Sort(v.out.Findings)
}

func (v *verifier) report(rule string, place finding.Place, message string) {
	v.out.Findings = append(v.out.Findings, finding.Finding{
		Rule: rule, Severity: finding.Error, Place: place, Message: message,
		Help: "keep these files as they are, and compare them with a copy from before",
	})
}
