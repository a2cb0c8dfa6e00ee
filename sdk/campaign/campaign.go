// Package campaign makes a ban one act: from a preview that changes nothing, over the deny bundle, the storm of rebuilds,
// remedies in what runs and the news to every team, to the proof that all is safe.
//
//	preview, err := campaign.Look(ctx, parts, "BAN-2026-17")
//	...
//	engine, err := campaign.Open(dir, parts)
//	state, err := engine.Start(ctx, "BAN-2026-17", "ana@example.com")
//	state, err = engine.Run(ctx, "BAN-2026-17") // until all is safe, or ctx ends
//	err = campaign.HTML(w, state)
//
// A campaign has the id of its ban, which joins everything that belongs to it. Each of its parts is idempotent and kept by
// whoever does it: the bundle in the registry, the storm in its database, the remedies in their audit log. A campaign
// itself is one small file that says which step is how far, so that a process that died goes on where it was.
//
// All-safe is measured and not declared: see [Safety]. What cannot be measured is not safe.
package campaign

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/sweep"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
)

// Parts are what a campaign joins. Catalog and Lineage are required for a preview, Deny and Sweep also for a campaign; a
// step whose part is missing is skipped, and the report says so.
type Parts struct {
	// Catalog returns the catalog as it is now, with the ban in it. It is asked again at every step, so that a ban that was
	// lifted meanwhile is seen.
	Catalog func(ctx context.Context) (*catalog.Catalog, error)
	// Facts answer what the catalog asks about replacements, such as what a tag means.
	Facts   catalog.Facts
	Lineage lineage.Store
	// Deny compiles, signs and publishes the deny bundle of a catalog, and returns its version. Calling it again does no harm.
	Deny func(ctx context.Context, cat *catalog.Catalog) (version uint64, err error)
	// Checks are the start checks with the version of the bundle that each has. Nil means that they cannot be asked.
	Checks func(ctx context.Context) ([]Check, error)
	// Planner and Storm replace images. Somebody has to call Storm.Run. Without them nothing is replaced.
	Planner *storm.Planner
	Storm   Storm
	// Remedy runs the remedies of a campaign wherever they are still missing, and returns by which instances they are held:
	// a key is Place+" "+ID. It may be called again and again. Nil means that there are none.
	Remedy func(ctx context.Context, campaign string) (remedied map[string]string, err error)
	// Sweep judges what runs by the bundle of now.
	Sweep func(ctx context.Context) (*sweep.Report, error)
	// Resolve says what a tag points to now. Nil means that tags cannot be checked.
	Resolve func(ctx context.Context, ref string) (digest string, err error)
	// Refused returns when a start check first refused an image because of a ban; zero for not yet. Nil is not asked.
	Refused func(ctx context.Context, ban string) (time.Time, error)
	// Notifier is told once for each owner what the ban means for them. Nil tells nobody.
	Notifier notify.Notifier
	// Log records what was done, by whom and why. Nil records nothing.
	Log *audit.Log
	// Poll is how long to wait between two looks at what is under way. Default 2 s.
	Poll time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Warn receives faults that may pass. Nil discards.
	Warn *slog.Logger
}

// Storm is what a campaign needs of a storm; *runner.Runner is one.
type Storm interface {
	Start(ctx context.Context, p *storm.Preview) (*runner.Status, error)
	Status(ctx context.Context, campaign string) (*runner.Status, error)
	Outcomes(ctx context.Context, campaign string) ([]runner.Outcome, error)
	Pause(ctx context.Context, campaign, by string) (*runner.Status, error)
	Resume(ctx context.Context, campaign, by string) (*runner.Status, error)
	Cancel(ctx context.Context, campaign, by string) (*runner.Status, error)
}

var _ Storm = (*runner.Runner)(nil)

// Check is a start check and the bundle that it decides by.
type Check struct {
	// Name is the agent's or gate's: "node-17".
	Name    string `json:"name"`
	Version uint64 `json:"version"`
	// Seen is when it last reported.
	Seen time.Time `json:"seen,omitzero"`
}

var (
	// ErrNotFound says that there is no such ban or campaign.
	ErrNotFound = errors.New("not found")
	// ErrInvalid says that a campaign or step can't be meant so.
	ErrInvalid = errors.New("invalid")
)

// Engine runs campaigns whose files are in one directory. It is safe for concurrent use; one process at a time has it.
type Engine struct {
	parts Parts
	dir   string
	lock  *os.File
	files files
}

// idPattern keeps campaigns' ids fit for file names.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func (p *Parts) defaults() {
	if p.Poll <= 0 {
		p.Poll = 2 * time.Second
	}
	if p.Now == nil {
		p.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if p.Warn == nil {
		p.Warn = slog.New(slog.DiscardHandler)
	}
}
