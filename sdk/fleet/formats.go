package fleet

import (
	"embed"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

// Formats returns the forms that a transcript is written in, by name: "text", "json", "junit", "html".
func Formats() map[string]func(io.Writer, *Transcript) error {
	return map[string]func(io.Writer, *Transcript) error{"text": Text, "json": JSON, "junit": JUnit, "html": HTML}
}

// Text writes a line for each result, and a summary.
func Text(w io.Writer, t *Transcript) error {
	if _, err := fmt.Fprintf(w, "remedy %s, ordered by %s at %s\n", t.Remedy.Name, visible(t.By), t.Began.UTC().Format(time.RFC3339)); err != nil {
		return err
	}
	for _, r := range t.Results {
		text := fmt.Sprintf("%s %s", r.Outcome, r.Instance.Label())
		if r.Reason != "" {
			text += ": " + r.Reason
		}
		if _, err := fmt.Fprintln(w, visible(text)); err != nil {
			return err
		}
	}
	for _, s := range t.Unknown {
		if _, err := fmt.Fprintln(w, visible(fmt.Sprintf("unknown %s: %s", s.Instance.Label(), strings.Join(s.Why, "; ")))); err != nil {
			return err
		}
	}
	for _, u := range t.Unreached {
		if _, err := fmt.Fprintln(w, visible(fmt.Sprintf("unreached %s: %s", u.Place, u.Error))); err != nil {
			return err
		}
	}
	text := t.Summary()
	if t.Stopped != "" {
		text += "; stopped: " + t.Stopped
	}
	_, err := fmt.Fprintln(w, visible(text))
	return err
}

// visible takes away what would move a terminal's cursor: outputs and names are not ours.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}

// JSON writes the transcript as one document.
func JSON(w io.Writer, t *Transcript) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(t)
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     float64     `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string      `xml:"name,attr"`
	Class   string      `xml:"classname,attr"`
	Time    float64     `xml:"time,attr"`
	Failure *junitText  `xml:"failure"`
	Skipped *junitText  `xml:"skipped"`
	Out     *junitPlain `xml:"system-out"`
	Err     *junitPlain `xml:"system-err"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
}

type junitPlain struct {
	Text string `xml:",chardata"`
}

// JUnit writes the transcript as a test suite: a case for each instance. What is left, held or gone is skipped, all else
// that is not done fails; what is unknown, and places that do not answer, fail too.
func JUnit(w io.Writer, t *Transcript) error {
	suite := junitSuite{Name: t.Remedy.Name, Time: t.Ended.Sub(t.Began).Seconds()}
	if t.Ended.IsZero() {
		suite.Time = 0
	}
	add := func(c junitCase) {
		suite.Tests++
		if c.Failure != nil {
			suite.Failures++
		}
		if c.Skipped != nil {
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, r := range t.Results {
		c := junitCase{Name: printable(r.Instance.Label()), Class: t.Remedy.Name, Time: time.Duration(r.Took).Seconds()}
		why := &junitText{printable(r.Reason), string(r.Outcome)}
		switch r.Outcome {
		case Done, Already:
		case Gone, Left, Held:
			c.Skipped = why
		default:
			c.Failure = why
		}
		if r.Command != nil {
			c.Out, c.Err = plain(r.Command.Stdout), plain(r.Command.Stderr)
		}
		add(c)
	}
	for _, s := range t.Unknown {
		add(junitCase{Name: printable(s.Instance.Label()), Class: t.Remedy.Name, Failure: &junitText{printable(strings.Join(s.Why, "; ")), "unknown"}})
	}
	for _, u := range t.Unreached {
		add(junitCase{Name: printable(u.Place), Class: t.Remedy.Name, Failure: &junitText{printable(u.Error), string(Dead)}})
	}
	for _, key := range t.Interrupted {
		add(junitCase{Name: printable(key), Class: t.Remedy.Name, Failure: &junitText{"the run was killed while it was at work there", string(Unclear)}})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func plain(text string) *junitPlain {
	if text == "" {
		return nil
	}
	return &junitPlain{printable(text)}
}

// printable replaces what XML can't have.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, text)
}

//go:embed transcript.html
var page embed.FS

// HTML writes the transcript as one page that needs nothing else.
func HTML(w io.Writer, t *Transcript) error {
	tmpl, err := template.New("transcript.html").Funcs(template.FuncMap{
		"when":     func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") },
		"took":     func(d Duration) string { return time.Duration(d).Round(time.Millisecond).String() },
		"join":     func(list []string) string { return strings.Join(list, "; ") },
		"outcomes": Outcomes,
	}).ParseFS(page, "transcript.html")
	if err != nil {
		return err
	}
	return tmpl.Execute(w, t)
}
