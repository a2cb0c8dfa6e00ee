package blackbox

import (
	"fmt"
	"strings"
	"time"
)

// Args are the arguments of a step: what the parameters of its expression matched, by their number from 0, and the
// table or doc string below it. Asking for a parameter as another type than its own is a mistake in the step and panics.
type Args struct {
	values       []any
	hasDocString bool
	// Table is the table below the step, row by row.
	Table [][]string
	// DocString is the text below the step.
	DocString string
}

// String returns a {string}, {word} or {signal}.
func (a Args) String(i int) string { return a.values[i].(string) }

// last returns the last parameter if it is text, else "".
func (a Args) last() string {
	if len(a.values) == 0 {
		return ""
	}
	s, _ := a.values[len(a.values)-1].(string)
	return s
}

// Int returns an {int}.
func (a Args) Int(i int) int { return a.values[i].(int) }

// Float returns a {float}.
func (a Args) Float(i int) float64 { return a.values[i].(float64) }

// Duration returns a {duration}.
func (a Args) Duration(i int) time.Duration { return a.values[i].(time.Duration) }

// Size returns a {size} in bytes.
func (a Args) Size(i int) int64 { return a.values[i].(int64) }

// Pairs returns a table of two columns: names and values.
func (a Args) Pairs() ([][2]string, error) {
	pairs := make([][2]string, len(a.Table))
	for i, row := range a.Table {
		if len(row) != 2 {
			return nil, fmt.Errorf("row %d of the table has %d cells: expected two, a name and a value", i+1, len(row))
		}
		pairs[i] = [2]string{row[0], row[1]}
	}
	return pairs, nil
}

// List returns a table of one column.
func (a Args) List() ([]string, error) {
	items := make([]string, len(a.Table))
	for i, row := range a.Table {
		if len(row) != 1 {
			return nil, fmt.Errorf("row %d of the table has %d cells: expected one", i+1, len(row))
		}
		items[i] = row[0]
	}
	return items, nil
}

// expander puts parameters in for "${name}"; "$${name}" stays as "${name}".
type expander struct {
	params  map[string]string
	unknown []string
}

// plain is for tables and doc strings.
func (e *expander) plain(s string) string { return e.expand(s, func(v string) string { return v }) }

// quoted is for the text of steps: a quote in a value does not end a {string}.
func (e *expander) quoted(s string) string { return e.expand(s, quotes.Replace) }

var quotes = strings.NewReplacer(`"`, `\"`, `'`, `\'`)

func (e *expander) expand(s string, form func(string) string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "${")
		if !ok {
			return b.String() + s
		}
		name, after, closed := strings.Cut(rest, "}")
		if strings.HasSuffix(before, "$") || !closed {
			b.WriteString(strings.TrimSuffix(before, "$") + "${")
			s = rest
			continue
		}
		value, known := e.params[name]
		if !known {
			e.unknown = append(e.unknown, name)
		}
		b.WriteString(before + form(value))
		s = after
	}
}

// err says which parameter has no value.
func (e *expander) err() error {
	if len(e.unknown) == 0 {
		return nil
	}
	return fmt.Errorf("no value was given for the parameter ${%s}: there are %s", e.unknown[0], list(sortedKeys(e.params)))
}

// args expands what stands below a step.
func (e *expander) args(a Args) Args {
	a.DocString = e.plain(a.DocString)
	table := make([][]string, len(a.Table))
	for i, row := range a.Table {
		table[i] = make([]string, len(row))
		for j, cell := range row {
			table[i][j] = e.plain(cell)
		}
	}
	a.Table = table
	return a
}
