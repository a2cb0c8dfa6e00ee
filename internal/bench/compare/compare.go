// Package compare measures what one job costs when different programs do it, in one run: Plimsoll, what a user would
// pick instead, and the floor below which nobody can go (bare requests, a parser alone, one signature check).
//
// A [Case] says what is compared. [Measure] runs its sides in turn, round after round, in a different order each time, so
// that whatever else the machine does falls on all of them. Each side says in words what it did ([Work.Done]); where two
// sides did not do the same, there is no ratio. A side that cannot be had here says why ([Side.Missing]) and has no
// figures.
package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Case is one comparison.
type Case struct {
	// Name is the word that selects the case on the command line: "lint", "rebase".
	Name string
	// Doc is the job in one line, as the table's reader sees it: "lint a corpus of Dockerfiles with all rules".
	Doc string
	// Unit is what Sizes counts, in the plural: "images". Empty for a case that has no size.
	Unit string
	// Sizes are the amounts of work to measure, rising. The table has a row for each; more than two make a plot of growth.
	// Empty means one measurement, of size 1.
	Sizes []int
	// Quick is the only size measured with -quick. 0 means the first of Sizes.
	Quick int
	// Setup prepares the sides for an amount of work, and returns what takes the preparation down (may be nil). The first
	// side is Plimsoll's.
	Setup func(ctx context.Context, env Env, size int) ([]Side, func() error, error)
}

// Env is what a case may use of the run it is part of.
type Env struct {
	// Dir is an empty directory that is removed after the case.
	Dir string
	// Log is where a case may say what it is doing. Never nil.
	Log io.Writer
}

// Kind says what a side is compared for.
type Kind string

// The kinds of sides.
const (
	Ours  Kind = "plimsoll"
	Peer  Kind = "peer"
	Floor Kind = "floor" // the physical or protocol limit
)

// Side is one way to do the job.
type Side struct {
	Name string
	Kind Kind
	// Missing says why this side cannot be had here: "goss is not in the PATH". It is not run then.
	Missing string
	// Prepare runs before each Do and is not measured: it makes a fresh repository or an empty cache. May be nil.
	Prepare func(ctx context.Context, round int) error
	// Do does the job once.
	Do func(ctx context.Context, round int) (Work, error)
}

// Work is what one Do did.
type Work struct {
	// Done says in words what was done and found, and must be equal on all sides: "936 files, 5 do not parse".
	Done string
	// Took is what the job took, for sides that can tell better than the clock around Do. 0 means the clock.
	Took time.Duration
	// Figures are other figures worth a column: requests, bytes. The last round's are shown.
	Figures map[string]float64
}

// Options say how to measure. The zero value is useful.
type Options struct {
	// Rounds is how often each side runs. 0 means 5.
	Rounds int
	// Quick measures one size of each case.
	Quick bool
	// Dir is a directory for temporary files; it must exist.
	Dir string
	// Log is where progress goes. Nil discards.
	Log io.Writer
}

// Measured is a case at one size.
type Measured struct {
	Case string `json:"case"`
	Doc  string `json:"doc"`
	Unit string `json:"unit,omitempty"`
	Size int    `json:"size"`
	// Done is what all sides did, or "" where they did not do the same.
	Done string `json:"done,omitempty"`
	// Unequal says which sides did something else than Plimsoll's, and what; there are no ratios then.
	Unequal []string `json:"unequal,omitempty"`
	Rows    []Row    `json:"rows"`
}

// Row is a side's figures.
type Row struct {
	Side    string `json:"side"`
	Kind    Kind   `json:"kind"`
	Missing string `json:"missing,omitempty"`
	// Median, Min and Max are over all rounds.
	Median time.Duration `json:"median,omitempty"`
	Min    time.Duration `json:"min,omitempty"`
	Max    time.Duration `json:"max,omitempty"`
	Rounds int           `json:"rounds,omitempty"`
	// Ratio is Plimsoll's time divided by this side's, the median over the rounds: below 1 Plimsoll is faster. It is 0 where
	// there is none.
	Ratio   float64            `json:"ratio,omitempty"`
	Figures map[string]float64 `json:"figures,omitempty"`
}

// Measure measures a case at each of its sizes. An error of a peer or of the floor is that side's Missing; an error of
// Plimsoll's own side ends the case.
func Measure(ctx context.Context, c Case, opts Options) ([]Measured, error) {
	if opts.Rounds <= 0 {
		opts.Rounds = 5
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	var all []Measured
	for _, size := range c.sizes(opts.Quick) {
		m, err := c.measure(ctx, size, opts)
		if err != nil {
			return all, fmt.Errorf("%s: %w", c.title(size), err)
		}
		all = append(all, m)
	}
	return all, nil
}

func (c Case) sizes(quick bool) []int {
	switch {
	case len(c.Sizes) == 0:
		return []int{1}
	case quick && c.Quick != 0:
		return []int{c.Quick}
	case quick:
		return c.Sizes[:1]
	default:
		return c.Sizes
	}
}

func (c Case) title(size int) string {
	if c.Unit == "" {
		return c.Name
	}
	return fmt.Sprintf("%s, %d %s", c.Name, size, c.Unit)
}

func (c Case) measure(ctx context.Context, size int, opts Options) (m Measured, err error) {
	fmt.Fprintf(opts.Log, "%s: setting up\n", c.title(size))
	env, remove, err := newEnv(opts)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	sides, down, err := c.Setup(ctx, env, size)
	if down != nil {
		defer func() { err = errors.Join(err, down()) }()
	}
	if err != nil {
		return m, err
	}
	runs := make([]*run, len(sides))
	for i, side := range sides {
		runs[i] = &run{Side: side}
	}
	for round := range opts.Rounds {
		fmt.Fprintf(opts.Log, "%s: round %d of %d\n", c.title(size), round+1, opts.Rounds)
		for i := range runs {
			r := runs[(round+i)%len(runs)]
			if err := r.do(ctx, round); err != nil {
				return m, fmt.Errorf("%s: %w", r.Name, err)
			}
		}
	}
	return c.result(size, runs), nil
}

// run is a side and what was measured of it.
type run struct {
	Side

	took []time.Duration
	last Work
}

// do runs a side once. Only Plimsoll's side and the end of ctx stop the case.
func (r *run) do(ctx context.Context, round int) error {
	if r.Missing != "" {
		return nil
	}
	err := r.measured(ctx, round)
	if err != nil && r.Kind != Ours && ctx.Err() == nil {
		r.Missing, err = err.Error(), nil
	}
	return err
}

func (r *run) measured(ctx context.Context, round int) error {
	if r.Prepare != nil {
		if err := r.Prepare(ctx, round); err != nil {
			return err
		}
	}
	begin := time.Now()
	work, err := r.Do(ctx, round)
	took := time.Since(begin)
	if err != nil {
		return err
	}
	if work.Took != 0 {
		took = work.Took
	}
	if len(r.took) > 0 && work.Done != r.last.Done {
		return fmt.Errorf("did %q in one round and %q in the next", r.last.Done, work.Done)
	}
	r.took, r.last = append(r.took, took), work
	return nil
}

func (c Case) result(size int, runs []*run) Measured {
	ours := runs[0]
	m := Measured{Case: c.Name, Doc: c.Doc, Unit: c.Unit, Size: size, Done: ours.last.Done}
	for _, r := range runs {
		if r.Missing == "" && r.last.Done != ours.last.Done {
			m.Unequal = append(m.Unequal, fmt.Sprintf("%s did %q, %s %q", ours.Name, ours.last.Done, r.Name, r.last.Done))
		}
	}
	for _, r := range runs {
		row := Row{Side: r.Name, Kind: r.Kind, Missing: r.Missing}
		if r.Missing == "" {
			row.Median, row.Min, row.Max = median(r.took), slices.Min(r.took), slices.Max(r.took)
			row.Rounds, row.Figures = len(r.took), r.last.Figures
		}
		if r.Missing == "" && r != ours && m.Unequal == nil {
			row.Ratio = ratio(ours.took, r.took)
		}
		m.Rows = append(m.Rows, row)
	}
	if m.Unequal != nil {
		m.Done = ""
	}
	return m
}

// ratio is the median of the ratios of each round, in which both sides ran one shortly after the other.
func ratio(ours, theirs []time.Duration) float64 {
	var all []float64
	for i := range ours {
		all = append(all, float64(ours[i])/float64(max(theirs[i], 1)))
	}
	return median(all)
}

// median returns the middle value, the mean of the two in the middle where their number is even. all is not empty.
func median[T ~int64 | ~float64](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}
