package definition

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Why [Apply] refuses edits.
var (
	ErrOverlap    = errors.New("edits overlap")
	ErrOutOfRange = errors.New("edit is outside of the file")
)

// EditError says which edit can't be applied; Err is [ErrOverlap] or [ErrOutOfRange].
type EditError struct {
	Edit finding.Edit
	// Other is the edit that it overlaps; zero when it is out of range.
	Other finding.Edit
	Err   error
}

func (e *EditError) Error() string {
	if errors.Is(e.Err, ErrOverlap) {
		return fmt.Sprintf("%s: %v: bytes %d to %d and bytes %d to %d; apply one, parse again and look for the other",
			e.Edit.File, e.Err, e.Other.Start, e.Other.End, e.Edit.Start, e.Edit.End)
	}
	return fmt.Sprintf("%s: %v: bytes %d to %d", e.Edit.File, e.Err, e.Edit.Start, e.Edit.End)
}

// Unwrap returns Err.
func (e *EditError) Unwrap() error { return e.Err }

// Apply returns src with the edits made, in whatever order they come; every byte outside of them stays as it is, and
// src itself is not changed. It does not look at Edit.File: give it the edits of one file. Edits that overlap are
// refused with an [*EditError] rather than guessed, and so are two insertions at one point; edits that only touch are
// fine.
func Apply(src []byte, edits []finding.Edit) ([]byte, error) {
	sorted := slices.Clone(edits)
	slices.SortStableFunc(sorted, func(a, b finding.Edit) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return a.End - b.End
	})
	var out []byte
	end := 0
	for i, e := range sorted {
		if e.Start < 0 || e.End < e.Start || e.End > len(src) {
			return nil, &EditError{Edit: e, Err: fmt.Errorf("%w of %d bytes", ErrOutOfRange, len(src))}
		}
		if i > 0 && (e.Start < end || e.Start == sorted[i-1].Start) {
			return nil, &EditError{Edit: e, Other: sorted[i-1], Err: ErrOverlap}
		}
		out = append(append(out, src[end:e.Start]...), e.New...)
		end = e.End
	}
	return append(out, src[end:]...), nil
}

// Replace is the edit that puts text in the place of the word.
func (f *File) Replace(w Word, text string) finding.Edit {
	return finding.Edit{File: f.Name, Start: w.Start.Offset, End: w.End.Offset, New: text}
}
