package campaign

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/distribution"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
)

// Phase is where a campaign stands.
type Phase string

// The phases.
const (
	Running Phase = "running"
	Paused  Phase = "paused" // nothing new is begun
	Safe    Phase = "safe"   // measured
	Lifted  Phase = "lifted" // the ban was taken back
)

// Over says whether nothing more is done.
func (p Phase) Over() bool { return p == Safe || p == Lifted }

// The steps, in their order. All but the first go on at the same time.
const (
	StepDeny    = "deny"    // the bundle is out
	StepTell    = "tell"    // every owner knows
	StepReplace = "replace" // images are replaced, and the bundle knows the new ones
	StepRemedy  = "remedy"  // remedies are in force where images still run
	StepProve   = "prove"   // it is measured that all is safe
)

// Progress is how far a step is.
type Progress string

// How far.
const (
	Waiting  Progress = "waiting"
	Underway Progress = "under way"
	Done     Progress = "done"
	Skipped  Progress = "skipped"
)

// Step is one part of a campaign.
type Step struct {
	Name  string    `json:"name"`
	State Progress  `json:"state"`
	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	// Note says what came of it, or who skipped it and why.
	Note string `json:"note,omitempty"`
	// Fault is the last error; the step is tried again.
	Fault  string `json:"fault,omitempty"`
	Faults int    `json:"faults,omitempty"`
}

// Over says whether nothing more is done for it.
func (s *Step) Over() bool { return s.State == Done || s.State == Skipped }

// Timeline is when what was reached; zero is not yet.
type Timeline struct {
	Banned       time.Time `json:"banned"`
	Denied       time.Time `json:"denied,omitzero"`       // the bundle was out
	FirstRefusal time.Time `json:"firstRefusal,omitzero"` // a start check refused an image
	HalfReplaced time.Time `json:"halfReplaced,omitzero"`
	AllReplaced  time.Time `json:"allReplaced,omitzero"` // all that can be
	AllSafe      time.Time `json:"allSafe,omitzero"`
}

// State is a campaign, as it is kept and reported.
type State struct {
	Version  int       `json:"version"` // of this form: 1
	Campaign string    `json:"campaign"`
	By       string    `json:"by"`
	Phase    Phase     `json:"phase"`
	Steps    []Step    `json:"steps"`
	Timeline Timeline  `json:"timeline"`
	Changed  time.Time `json:"changed"`
	// Preview is what the ban meant when the campaign began.
	Preview *Preview `json:"preview"`
	// Graph is the part of the lineage around what is banned; nil for a ban of a package.
	Graph *lineage.Graph `json:"graph,omitempty"`
	// Bundle is the version of the deny bundle that start checks need.
	Bundle uint64 `json:"bundle,omitempty"`
	// Remedied are instances that a remedy holds, "place id", with its name.
	Remedied map[string]string `json:"remedied,omitempty"`
	// Outcomes are what became of the images, and Safety what was measured last.
	Outcomes []runner.Outcome `json:"outcomes,omitempty"`
	Safety   *Safety          `json:"safety,omitempty"`
}

// Step returns a step by its name, or nil.
func (s *State) Step(name string) *Step {
	if i := slices.IndexFunc(s.Steps, func(step Step) bool { return step.Name == name }); i >= 0 {
		return &s.Steps[i]
	}
	return nil
}

// files are the campaigns on disk. One is changed by one goroutine at a time.
type files struct{ mu sync.Mutex }

// Open opens or makes a directory of campaigns. The caller closes the engine.
func Open(dir string, parts Parts) (*Engine, error) {
	if parts.Catalog == nil || parts.Lineage == nil || parts.Deny == nil || parts.Sweep == nil {
		return nil, errors.New("a campaign needs Parts.Catalog, Lineage, Deny and Sweep")
	}
	parts.defaults()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("campaigns in %s: another process runs them: stop it, or ask it", dir), lock.Close())
	}
	return &Engine{parts: parts, dir: dir, lock: lock}, nil
}

// Close lets another process have the directory. Nothing may run any more.
func (e *Engine) Close() error { return e.lock.Close() }

func (e *Engine) path(campaign string) (string, error) {
	if !idPattern.MatchString(campaign) {
		return "", fmt.Errorf("campaign %q: %w: up to 100 letters, digits, dots, dashes and underscores", campaign, ErrInvalid)
	}
	return filepath.Join(e.dir, campaign+".json"), nil
}

// State returns a campaign. The error wraps [ErrNotFound].
func (e *Engine) State(campaign string) (*State, error) {
	file, err := e.path(campaign)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("campaign %s: %w: start it first", campaign, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	var s State
	if err := json.Unmarshal(raw, &s); err != nil || s.Version != 1 || s.Campaign != campaign || s.Preview == nil {
		return nil, errors.Join(fmt.Errorf("campaign %s: %s is not its file, or of a later version", campaign, file), err)
	}
	return &s, nil
}

// Campaigns lists those that were begun, in the order of their ids.
func (e *Engine) Campaigns() ([]string, error) {
	entries, err := os.ReadDir(e.dir)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, entry := range entries {
		if id, ok := strings.CutSuffix(entry.Name(), ".json"); ok && idPattern.MatchString(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// update changes a campaign; a crash leaves it as it was or as it is.
func (e *Engine) update(campaign string, change func(*State) error) (*State, error) {
	e.files.mu.Lock()
	defer e.files.mu.Unlock()
	s, err := e.State(campaign)
	if err != nil {
		return nil, err
	}
	if err := change(s); err != nil {
		return nil, err
	}
	return s, e.write(s)
}

func (e *Engine) write(s *State) error {
	file, err := e.path(s.Campaign)
	if err != nil {
		return err
	}
	s.Changed = e.parts.Now().UTC()
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return distribution.WriteFile(file, raw, 0o600)
}
