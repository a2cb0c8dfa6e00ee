package catalog

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Date is a day ("2027-01-31") or a moment ("2027-01-31T18:00:00Z") in a catalog. The zero value is absent. As a
// beginning a day means its first moment in UTC, as an end the moment after its last, so "until: 2027-01-31" includes
// that day.
type Date struct {
	at       time.Time
	wholeDay bool
}

// UnmarshalText reads a day or an RFC 3339 time.
func (d *Date) UnmarshalText(text []byte) error {
	if t, err := time.ParseInLocation(time.DateOnly, string(text), time.UTC); err == nil {
		*d = Date{at: t, wholeDay: true}
		return nil
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is not a date (2027-01-31) or a time (2027-01-31T18:00:00Z)", clip(string(text)))
	}
	*d = Date{at: t.UTC()}
	return nil
}

// MarshalText writes what UnmarshalText reads; an absent date is empty.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns the day or the time in UTC, "" when absent.
func (d Date) String() string {
	switch {
	case d.IsZero():
		return ""
	case d.wholeDay:
		return d.at.Format(time.DateOnly)
	}
	return d.at.Format(time.RFC3339)
}

// IsZero says whether the date is absent.
func (d Date) IsZero() bool { return d.at.IsZero() }

// Equal says whether both mean the same.
func (d Date) Equal(o Date) bool { return d.wholeDay == o.wholeDay && d.at.Equal(o.at) }

// Begin is the moment when something that is dated "from" d begins.
func (d Date) Begin() time.Time { return d.at }

// End is the first moment after something that is dated "until" d.
func (d Date) End() time.Time {
	if d.wholeDay {
		return d.at.AddDate(0, 0, 1)
	}
	return d.at
}

// begun says whether d is there and has begun at t; ended whether it is there and over.
func (d Date) begun(t time.Time) bool { return !d.IsZero() && !t.Before(d.Begin()) }
func (d Date) ended(t time.Time) bool { return !d.IsZero() && !t.Before(d.End()) }

// Span is a length of time in a catalog: hours, days of 24 hours, or weeks: "36h", "14d", "2w". Zero is absent.
type Span time.Duration

var spanForm = regexp.MustCompile(`^([1-9][0-9]{0,4})([hdw])$`)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// UnmarshalText reads a whole number with its unit.
func (s *Span) UnmarshalText(text []byte) error {
	m := spanForm.FindStringSubmatch(string(text))
	if m == nil {
		return fmt.Errorf("%q is not a length of time in hours, days or weeks (36h, 14d, 2w)", clip(string(text)))
	}
	n, _ := strconv.Atoi(m[1])
	switch *s = Span(n); m[2] {
	case "h":
		*s *= Span(time.Hour)
	case "d":
		*s *= Span(day)
	case "w":
		*s *= Span(week)
	}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String writes the largest unit that fits: "2w", "10d", "36h".
func (s Span) String() string {
	switch d := time.Duration(s); {
	case d == 0:
		return ""
	case d%week == 0:
		return fmt.Sprintf("%dw", d/week)
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	default:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
}
