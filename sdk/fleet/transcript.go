package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
)

// Outcome is how it ended for an instance.
type Outcome string

// The outcomes. Every instance that was meant has one.
const (
	Done       Outcome = "done"        // and verified, if the remedy says how
	Already    Outcome = "already"     // an earlier run did it, and the instance has not restarted since
	Failed     Outcome = "failed"      // the command, its result or the verification
	Unclear    Outcome = "unclear"     // the place was lost in mid-command
	Gone       Outcome = "gone"        // it ended or was replaced before anything was done
	Dead       Outcome = "unreached"   // its place does not answer
	Impossible Outcome = "unsupported" // none of the strategies is possible there
	Denied     Outcome = "refused"     // the place, or the rights, do not let the one who ordered it
	Held       Outcome = "held"        // another run is at work on it
	Left       Outcome = "left"        // not begun: the run was stopped before
)

// Outcomes returns all outcomes, best first.
func Outcomes() []Outcome {
	return []Outcome{Done, Already, Gone, Left, Held, Impossible, Denied, Dead, Unclear, Failed}
}

// Result is what came of a remedy in an instance.
type Result struct {
	Instance Instance `json:"instance"`
	// Why is the evidence that it is meant.
	Why     []string `json:"why,omitempty"`
	Outcome Outcome  `json:"outcome"`
	// Reason says what went wrong.
	Reason   string   `json:"reason,omitempty"`
	Strategy Strategy `json:"strategy,omitempty"`
	// Command is what the remedy's command said, Verification and Undo what theirs did.
	Command      *Said     `json:"command,omitempty"`
	Verification *Said     `json:"verification,omitempty"`
	Undo         *Said     `json:"undo,omitempty"`
	Wave         int       `json:"wave"` // 0 is the canary's; those that started later have -1
	Began        time.Time `json:"began,omitzero"`
	Took         Duration  `json:"took,omitempty"`
}

// Said is what a command said. Secrets are not in it.
type Said struct {
	Exit      int    `json:"exit"`
	Stdout    string `json:"stdout,omitempty"`
	Stderr    string `json:"stderr,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
	Wrong     string `json:"wrong,omitempty"` // how it is not what was expected
}

// Transcript is a run from its order to its end.
type Transcript struct {
	Version   int        `json:"version"` // of this form: 1
	Run       string     `json:"run"`
	Remedy    Remedy     `json:"remedy"`
	Digest    string     `json:"digest"` // of the remedy
	By        string     `json:"by"`
	Approvals []Approval `json:"approvals,omitempty"`
	Watch     bool       `json:"watch,omitempty"`
	Began     time.Time  `json:"began"`
	Ended     time.Time  `json:"ended,omitzero"` // zero: it runs, or was killed
	// Stopped says why it ended early.
	Stopped string   `json:"stopped,omitempty"`
	Results []Result `json:"results"`
	// Interrupted are instances in which the remedy was begun and no end was written: the run was killed.
	Interrupted []string        `json:"interrupted,omitempty"`
	Unknown     []Selected      `json:"unknown,omitempty"`
	Unreached   []Unreached     `json:"unreached,omitempty"`
	Counts      map[Outcome]int `json:"counts"`
	// Chain is the last line of the audit log that is about this run: keep it where nobody who can write to the log can.
	Chain audit.Checkpoint `json:"chain"`
}

// Complete says whether all that is meant is done, nothing is unknown and every place answered.
func (t *Transcript) Complete() bool {
	return len(t.Unknown)+len(t.Unreached)+len(t.Interrupted) == 0 && t.Stopped == "" &&
		!slices.ContainsFunc(t.Results, func(r Result) bool { return r.Outcome != Done && r.Outcome != Already && r.Outcome != Gone })
}

func (t *Transcript) add(r Result) {
	t.Results = append(t.Results, r)
	t.Counts[r.Outcome]++
}

// Summary is the counts in one line.
func (t *Transcript) Summary() string {
	var parts []string
	for _, o := range Outcomes() {
		if n := t.Counts[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	if len(t.Unknown) > 0 {
		parts = append(parts, fmt.Sprintf("%d unknown", len(t.Unknown)))
	}
	if len(t.Unreached) > 0 {
		parts = append(parts, fmt.Sprintf("%d places unreached", len(t.Unreached)))
	}
	if len(t.Interrupted) > 0 {
		parts = append(parts, fmt.Sprintf("%d begun and not ended", len(t.Interrupted)))
	}
	if len(parts) == 0 {
		return "nothing is meant"
	}
	return strings.Join(parts, ", ")
}

// What the lines of a transcript are called in the audit log.
const (
	actionOrder  = "remedy.order"
	actionUnsure = "remedy.unknown"
	actionBegin  = "remedy.begin"
	actionResult = "remedy.result"
	actionLeft   = "remedy.left"
	actionEnd    = "remedy.end"
)

// record writes the lines of a run.
type record struct {
	log *audit.Log
	t   *Transcript
}

func (w *record) write(action, object string, outcome audit.Outcome, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = w.log.Append(audit.Event{
		Actor: w.t.By, Action: action, Object: object, Outcome: outcome,
		Detail: map[string]string{"run": w.t.Run, "remedy": w.t.Digest, "body": string(text)},
	})
	return err
}

func (w *record) result(r Result) error {
	err := w.write(actionResult, r.Instance.Key(), r.Outcome.audit(), r)
	if errors.Is(err, audit.ErrTooLong) {
		r.Command, r.Verification, r.Undo = r.Command.cut(), r.Verification.cut(), r.Undo.cut()
		err = w.write(actionResult, r.Instance.Key(), r.Outcome.audit(), r)
	}
	return err
}

// cut keeps of an output what fits into a line in any case.
func (s *Said) cut() *Said {
	if s == nil {
		return nil
	}
	const most = 8 << 10
	c := *s
	c.Stdout, c.Stderr = c.Stdout[:min(len(c.Stdout), most)], c.Stderr[:min(len(c.Stderr), most)]
	c.Truncated = true
	return &c
}

func (o Outcome) audit() audit.Outcome {
	switch o {
	case Done, Already:
		return audit.Done
	case Denied:
		return audit.Denied
	default:
		return audit.Failed
	}
}

// inChunks writes long lists in lines that are short enough.
func inChunks[T any](w *record, action string, list []T) error {
	for chunk := range slices.Chunk(list, 200) {
		if err := w.write(action, w.t.Remedy.Name, audit.Failed, chunk); err != nil {
			return err
		}
	}
	return nil
}

// Transcripts reads the runs out of an audit log, in the order of their orders. A line that is broken is an error:
// [audit.Verify] tells more.
func Transcripts(log fs.FS) ([]*Transcript, error) {
	runs := map[string]*reading{}
	var order []*reading
	for e, err := range audit.Read(log, 1) {
		if err != nil {
			return nil, err
		}
		run := e.Detail["run"]
		if !strings.HasPrefix(e.Action, "remedy.") || run == "" {
			continue
		}
		r := runs[run]
		if r == nil {
			r = &reading{begun: map[string]bool{}}
			runs[run], order = r, append(order, r)
		}
		if err := r.line(e); err != nil {
			return nil, fmt.Errorf("line %d of the audit log: %w", e.Seq, err)
		}
	}
	all := []*Transcript{}
	for _, r := range order {
		r.t.Interrupted = slices.Sorted(maps.Keys(r.begun))
		all = append(all, &r.t)
	}
	return all, nil
}

type reading struct {
	t     Transcript
	begun map[string]bool
}

func (r *reading) line(e audit.Entry) error {
	body := []byte(e.Detail["body"])
	r.t.Chain = audit.Checkpoint{Seq: e.Seq, Hash: e.Hash, Time: e.Time}
	switch e.Action {
	case actionOrder:
		err := json.Unmarshal(body, &r.t)
		r.t.Counts, r.t.Results = map[Outcome]int{}, []Result{}
		return err
	case actionUnsure:
		var some []Selected
		err := json.Unmarshal(body, &some)
		r.t.Unknown = append(r.t.Unknown, some...)
		return err
	case actionBegin:
		r.begun[e.Object] = true
	case actionResult:
		var one Result
		if err := json.Unmarshal(body, &one); err != nil {
			return err
		}
		delete(r.begun, e.Object)
		r.t.add(one)
	case actionLeft:
		var some []Result
		if err := json.Unmarshal(body, &some); err != nil {
			return err
		}
		for _, one := range some {
			r.t.add(one)
		}
	case actionEnd:
		var end ending
		err := json.Unmarshal(body, &end)
		r.t.Ended, r.t.Stopped, r.t.Unreached = e.Time, end.Stopped, end.Unreached
		return err
	}
	return nil
}

// ending is the body of a run's last line.
type ending struct {
	Stopped   string          `json:"stopped,omitempty"`
	Unreached []Unreached     `json:"unreached,omitempty"`
	Counts    map[Outcome]int `json:"counts"`
}
