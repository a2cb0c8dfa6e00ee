// Package audit keeps a tamper-evident record of who did what: an append-only log of JSON lines, each with the hash of
// the line before it. It is on disk when [Log.Append] returns.
//
//	log, err := audit.Open("/var/lib/plimsoll/audit", audit.Options{Name: "build-service"})
//	_, err = log.Append(audit.Event{Actor: "ana@example.com", Action: "build.cancel", Object: "build/42", Outcome: audit.Allowed})
//
// [Verify] finds a line that was changed, removed or put elsewhere, and names it. Whoever can write to the directory can
// still write the whole chain anew, or cut its end off: against that, keep a [Checkpoint] where they can't write, such as
// signed in a registry, and give it to Verify.
//
// The package decides nothing and hides nothing: put no secrets into an event. Lines may
// get more members in later versions; their chain stays as it is.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Event is what a caller has to tell. Actor and Action are required.
type Event struct {
	// Actor is who did it, as the one who let them in knows them: a subject of a token, a user, a program.
	Actor string `json:"actor"`
	// Action is what was done, "noun.verb": "build.request", "instance.start".
	Action string `json:"action"`
	// Object is what it was done to: a build's id, an image by digest.
	Object string `json:"object,omitempty"`
	// Outcome is how it ended.
	Outcome Outcome `json:"outcome,omitempty"`
	// Detail is what else is worth knowing: a reason, an address. At most [MaxLine] with everything else.
	Detail map[string]string `json:"detail,omitempty"`
}

// Outcome is how an event ended.
type Outcome string

// The outcomes. Allowed and Denied are decisions; Done and Failed what came of an action.
const (
	Allowed Outcome = "allowed"
	Denied  Outcome = "denied"
	Done    Outcome = "done"
	Failed  Outcome = "failed"
)

// Entry is a line of the log.
type Entry struct {
	// Seq counts the lines from 1, over all files of a log.
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	Event
	// Prev is the Hash of the line before, empty in the first.
	Prev string `json:"prev,omitempty"`
	// Hash is "sha256:" and the hash of the line's bytes before `,"hash":`. It is always the line's last member.
	Hash string `json:"hash"`
}

// Checkpoint says how far a log had come: the line Seq had the Hash. It vouches for all lines up to that one. The zero
// value is an empty log.
type Checkpoint struct {
	// Log is the log's name, [Options].Name.
	Log  string    `json:"log"`
	Seq  uint64    `json:"seq"`
	Hash string    `json:"hash,omitempty"`
	Time time.Time `json:"time"`
}

// MaxLine is how long a line may be, in bytes.
const MaxLine = 1 << 20

// ErrTooLong says that an event makes a line longer than [MaxLine].
var ErrTooLong = errors.New("the event is too long for a line of the audit log")

// line writes an entry as a line with its newline, and sets its Hash.
func line(e *Entry) ([]byte, error) {
	e.Hash = ""
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, err
	}
	body, ok := bytes.CutSuffix(b.Bytes(), []byte(hashMember+"\"}\n"))
	if !ok {
		return nil, fmt.Errorf("a line of the audit log does not end with its hash: %s", b.Bytes())
	}
	e.Hash = hash(body)
	full := append(bytes.Clone(body), hashMember+e.Hash+"\"}\n"...)
	if len(full) > MaxLine {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, len(full), MaxLine)
	}
	return full, nil
}

// hashMember stands before a line's hash.
const hashMember = `,"hash":"`

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// errChanged says that a line's bytes are not those that its hash was made of.
var errChanged = errors.New("its bytes do not have the hash that it names")

// parse reads a line without its newline and checks it against its own hash.
func parse(text []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("it is no line of an audit log: %w", err)
	}
	body, ok := bytes.CutSuffix(text, []byte(hashMember+e.Hash+`"}`))
	if !ok || hash(body) != e.Hash {
		return e, errChanged
	}
	return e, nil
}
