package lint

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// ErrFixUnstable says that fixes kept bringing up new findings with fixes.
var ErrFixUnstable = errors.New("fixes do not come to an end")

// maxRounds bounds how often [Fix] judges a file again; the deepest chain of fixes in Plimsoll's rules takes three.
const maxRounds = 10

// FixError says which rule's fix can't be applied.
type FixError struct {
	Finding finding.Finding
	Err     error
}

func (e *FixError) Error() string {
	return fmt.Sprintf("%s: fix of %s: %v", e.Finding.Place, e.Finding.Rule, e.Err)
}

// Unwrap returns what is wrong with the fix.
func (e *FixError) Unwrap() error { return e.Err }

// Fix applies the first fix of every finding that is not suppressed, judges the result and goes on until nothing is left
// to fix. It returns the file as fixed and what was found in it last. Bytes outside the edits stay as they were, and
// fixing the result again changes nothing. On error the file is returned as far as it got, always parsable.
func Fix(file *definition.File, rules []Rule, cfg Config) (*definition.File, []finding.Finding, error) {
	findings, err := Run(file, rules, cfg)
	for range maxRounds {
		if err != nil {
			return file, findings, err
		}
		src, n, err := Apply(file.Name, file.Src, findings)
		if err != nil || n == 0 {
			return file, findings, err
		}
		fixed, err := definition.Parse(file.Name, src)
		if err != nil {
			return file, findings, fmt.Errorf("the fixed file does not parse: %w", err)
		}
		file = fixed
		if findings, err = Run(file, rules, cfg); err != nil {
			return file, findings, err
		}
	}
	return file, findings, fmt.Errorf("%s: %w after %d rounds", file.Name, ErrFixUnstable, maxRounds)
}

// Apply returns src with the first fix of every finding applied that is not suppressed, and how many were. A fix that
// overlaps one applied before it is left out whole, for the next round. A fix whose own edits overlap, lie outside the
// file or name another file is a [*FixError], and nothing is applied.
func Apply(name string, src []byte, findings []finding.Finding) (fixed []byte, applied int, err error) {
	var edits []finding.Edit
	for _, f := range findings {
		if f.Suppressed != nil || len(f.Fixes) == 0 {
			continue
		}
		own := slices.Clone(f.Fixes[0].Edits)
		if err := checkEdits(name, len(src), own); err != nil {
			return nil, 0, &FixError{f, err}
		}
		if both := sorted(edits, own); !overlap(both) {
			edits = both
			applied++
		}
	}
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.Write(src[at:e.Start])
		b.WriteString(e.New)
		at = e.End
	}
	b.Write(src[at:])
	return []byte(b.String()), applied, nil
}

func checkEdits(name string, size int, edits []finding.Edit) error {
	if len(edits) == 0 {
		return errors.New("it has no edits")
	}
	for _, e := range edits {
		if e.File != name {
			return fmt.Errorf("it edits %q, not %q", e.File, name)
		}
		if e.Start < 0 || e.End < e.Start || e.End > size {
			return fmt.Errorf("edit of bytes %d to %d is outside the file's %d bytes", e.Start, e.End, size)
		}
	}
	if overlap(sorted(edits)) {
		return errors.New("its edits overlap")
	}
	return nil
}

func sorted(lists ...[]finding.Edit) []finding.Edit {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b finding.Edit) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	return all
}

// overlap says whether two of the sorted edits touch the same byte or insert at the same place.
func overlap(edits []finding.Edit) bool {
	for i := 1; i < len(edits); i++ {
		a, b := edits[i-1], edits[i]
		if b.Start < a.End || b.Start == a.Start {
			return true
		}
	}
	return false
}
