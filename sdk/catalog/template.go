package catalog

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Template is a Dockerfile that Ops owns. A definition names it as name@version and gives parameters, which take the
// place of {{name}} in its text (package definition/template).
type Template struct {
	Name string `json:"name,omitempty"`
	// Version is compared as text: "3" is version 3 and no other.
	Version string `json:"version,omitempty"`
	// Owner answers for the template. Default: the file's owner.
	Owner string `json:"owner,omitempty"`
	// Note is shown with errors about it, such as where to read more.
	Note       string      `json:"note,omitempty"`
	Parameters []Parameter `json:"parameters,omitempty"`
	// Dockerfile is the text.
	Dockerfile string `json:"dockerfile,omitempty"`

	Place finding.Place `json:"-"`
}

// Ref is "name@version".
func (t Template) Ref() string { return t.Name + "@" + t.Version }

// ParameterType is what a parameter may hold.
type ParameterType string

// The types. What none of them takes are line breaks, control characters, quotes, backslashes, "$", "`", ";", "&", "|",
// "<", ">", "(", ")", "*", "?", "[", "]", "{", "}", "#", "!", "~" and "%", and a "-" at the beginning.
const (
	ParameterString  ParameterType = "string"  // letters, digits and . _ / : @ + = , -; the default
	ParameterText    ParameterType = "text"    // the same, letters of all languages and single spaces
	ParameterInteger ParameterType = "integer" // a whole number, within Min and Max
	ParameterBoolean ParameterType = "boolean" // true or false
	ParameterVersion ParameterType = "version" // digits, letters and . + _ -, beginning with a digit
	ParameterPath    ParameterType = "path"    // a path in the repository: relative, without ".."
	ParameterPort    ParameterType = "port"    // 1 to 65535
	ParameterImage   ParameterType = "image"   // a full image reference
)

// Parameter is what a definition may or must give to a template.
type Parameter struct {
	// Name is what {{name}} in the text stands for: lower-case letters, digits and "_".
	Name        string        `json:"name,omitempty"`
	Type        ParameterType `json:"type,omitempty"`
	Description string        `json:"description,omitempty"`
	// Default is taken when the definition gives none; without it the parameter is required.
	Default *string `json:"default,omitempty"`
	// Enum lists all values, Pattern is a regular expression for the whole of it (RE2).
	Enum    []string `json:"enum,omitempty"`
	Pattern string   `json:"pattern,omitempty"`
	// Min and Max limit an integer.
	Min *int `json:"min,omitempty"`
	Max *int `json:"max,omitempty"`

	Place finding.Place `json:"-"`
}

// maxParameter is how long a parameter may be, in bytes.
const maxParameter = 512

// forms are what values of the types look like as a whole.
var forms = map[ParameterType]struct {
	form *regexp.Regexp
	says string
}{
	ParameterString:  {regexp.MustCompile(`^[A-Za-z0-9._/:@+=,][A-Za-z0-9._/:@+=,-]*$`), "letters, digits and . _ / : @ + = , -"},
	ParameterText:    {regexp.MustCompile(`^[\pL\pN._/:@+=,](?: ?[\pL\pN._/:@+=,-])*$`), "letters, digits, single spaces and . _ / : @ + = , -"},
	ParameterInteger: {regexp.MustCompile(`^(?:0|[1-9][0-9]{0,17})$`), "a whole number"},
	ParameterBoolean: {regexp.MustCompile(`^(?:true|false)$`), "true or false"},
	ParameterVersion: {regexp.MustCompile(`^[0-9][0-9A-Za-z._+-]*$`), "a version such as 1.26.1-rc.2"},
	ParameterPath:    {regexp.MustCompile(`^[A-Za-z0-9._@+=-]+(?:/[A-Za-z0-9._@+=-]+)*/?$`), "a relative path of letters, digits and . _ @ + = - /"},
	ParameterPort:    {regexp.MustCompile(`^[1-9][0-9]{0,4}$`), "a port, 1 to 65535"},
	ParameterImage:   {regexp.MustCompile(`^[a-z0-9][A-Za-z0-9._/:@-]*$`), "an image reference such as registry.example/team/base:1"},
}

// Check says why a value is none for the parameter. The error does not repeat a value that can't be printed.
func (p Parameter) Check(value string) error {
	kind := p.kind()
	form, known := forms[kind]
	shown := clip(value)
	switch {
	case !known:
		return fmt.Errorf("the type %q is not known", p.Type)
	case len(value) > maxParameter:
		return fmt.Errorf("it has %d bytes; %d are allowed", len(value), maxParameter)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("it has a line break or control character; allowed is %s", form.says)
	case !form.form.MatchString(value) || strings.HasPrefix(value, "-"):
		return fmt.Errorf("%q is not %s", shown, form.says)
	case kind == ParameterPath && !inside(value):
		return fmt.Errorf("%q leads out of the repository", shown)
	case len(p.Enum) > 0 && !slices.Contains(p.Enum, value):
		return fmt.Errorf("%q is none of %s", shown, strings.Join(p.Enum, ", "))
	}
	if kind == ParameterImage {
		if _, err := parseReference(value); err != nil {
			return fmt.Errorf("%q is not an image reference: %w", shown, err)
		}
	}
	if kind == ParameterInteger || kind == ParameterPort {
		if err := p.checkNumber(value); err != nil {
			return err
		}
	}
	if p.Pattern != "" {
		pattern, err := regexp.Compile(`^(?:` + p.Pattern + `)$`)
		if err != nil {
			return fmt.Errorf("its pattern: %w", err)
		}
		if !pattern.MatchString(value) {
			return fmt.Errorf("%q does not match the pattern %s", shown, p.Pattern)
		}
	}
	return nil
}

func (p Parameter) checkNumber(value string) error {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
		return err
	case p.kind() == ParameterPort && n > 65535:
		return fmt.Errorf("%d is not a port, 1 to 65535", n)
	case p.Min != nil && n < *p.Min:
		return fmt.Errorf("%d is less than %d", n, *p.Min)
	case p.Max != nil && n > *p.Max:
		return fmt.Errorf("%d is more than %d", n, *p.Max)
	}
	return nil
}

func (p Parameter) kind() ParameterType {
	if p.Type == "" {
		return ParameterString
	}
	return p.Type
}

func inside(name string) bool {
	clean := path.Clean(name)
	return !path.IsAbs(name) && clean != ".." && !strings.HasPrefix(clean, "../") && !slices.Contains(strings.Split(name, "/"), "..")
}

// Piece is a part of a template's text: text as it stands, or a parameter's place.
type Piece struct {
	// Text is as written, "{{name}}" for a parameter.
	Text string
	// Parameter is the name; "" for text.
	Parameter string
	// Line is where the piece begins in the text, from 1.
	Line int
}

var placeholder = regexp.MustCompile(`\{\{\s*([a-z][a-z0-9_]*)\s*\}\}`)

// Pieces takes the text apart. "{{" that no parameter's name follows is text.
func (t Template) Pieces() []Piece {
	var pieces []Piece
	at, line := 0, 1
	add := func(end int, parameter string) {
		if text := t.Dockerfile[at:end]; text != "" {
			pieces = append(pieces, Piece{text, parameter, line})
			line += strings.Count(text, "\n")
		}
		at = end
	}
	for _, m := range placeholder.FindAllStringSubmatchIndex(t.Dockerfile, -1) {
		add(m[0], "")
		add(m[1], t.Dockerfile[m[2]:m[3]])
	}
	add(len(t.Dockerfile), "")
	return pieces
}

// Parameter returns the parameter of that name, and whether there is one.
func (t Template) Parameter(name string) (Parameter, bool) {
	i := slices.IndexFunc(t.Parameters, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return Parameter{}, false
	}
	return t.Parameters[i], true
}

// Templates returns the catalog's templates, in the order of its files.
func (c *Catalog) Templates() []Template { return slices.Clone(c.doc.Templates) }

var (
	templateName    = regexp.MustCompile(`^[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	templateVersion = regexp.MustCompile(`^[0-9A-Za-z]+(?:[._+-][0-9A-Za-z]+)*$`)
	parameterName   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// template checks a template. That its text is a Dockerfile is seen by package definition/template.
func (c *compiler) template(t *Template, owner string) {
	if !c.has(&t.Owner) {
		t.Owner = owner
	}
	named := c.need(&t.Name, t.Name, t.Place, "a template", "name")
	if named && !templateName.MatchString(t.Name) {
		c.report(c.at(&t.Name, t.Place), "name %q: lower-case letters, digits and single . _ - between them", clip(t.Name))
	}
	versioned := c.need(&t.Version, t.Version, t.Place, "a template", "version")
	if versioned && !templateVersion.MatchString(t.Version) {
		c.report(c.at(&t.Version, t.Place), "version %q: letters, digits and single . _ + - between them", clip(t.Version))
	}
	if named && versioned {
		c.single("template "+t.Ref(), t.Place)
	}
	given := c.need(&t.Dockerfile, t.Dockerfile, t.Place, "a template", "dockerfile")
	seen := map[string]bool{}
	for i := range t.Parameters {
		p := &t.Parameters[i]
		if c.broken[p] {
			continue
		}
		if seen[p.Name] {
			c.report(p.Place, "parameter %q is there twice", clip(p.Name))
		}
		seen[p.Name] = true
		c.parameter(p)
	}
	used := map[string]bool{}
	for _, piece := range t.Pieces() {
		used[piece.Parameter] = true
		if piece.Parameter != "" && !seen[piece.Parameter] {
			c.report(c.at(&t.Dockerfile, t.Place), "line %d of the template has {{%s}}, which is no parameter", piece.Line, piece.Parameter)
		}
	}
	for _, p := range t.Parameters {
		if given && p.Name != "" && !used[p.Name] {
			c.report(p.Place, "parameter %q is not in the template's text", clip(p.Name))
		}
	}
}

func (c *compiler) parameter(p *Parameter) {
	if c.need(&p.Name, p.Name, p.Place, "a parameter", "name") && !parameterName.MatchString(p.Name) {
		c.report(c.at(&p.Name, p.Place), "name %q: lower-case letters, digits and _, beginning with a letter", clip(p.Name))
	}
	if p.Type != "" {
		oneOf(c, &p.Type, p.Type, "type", ParameterString, ParameterText, ParameterInteger, ParameterBoolean, ParameterVersion,
			ParameterPath, ParameterPort, ParameterImage)
		if _, known := forms[p.Type]; !known {
			return
		}
	}
	notEmpty(c, &p.Enum, "enum")
	if _, err := regexp.Compile(p.Pattern); err != nil {
		c.report(c.at(&p.Pattern, p.Place), "pattern: %v", err)
		return
	}
	if (p.Min != nil || p.Max != nil) && p.kind() != ParameterInteger && p.kind() != ParameterPort {
		c.report(p.Place, "min and max are for integers and ports")
	}
	free := *p
	free.Enum = nil
	for i, value := range p.Enum {
		if err := free.Check(value); err != nil {
			c.report(c.at(&p.Enum[i], p.Place), "enum: %v", err)
		}
	}
	if p.Default != nil {
		if err := p.Check(*p.Default); err != nil {
			c.report(c.at(p.Default, p.Place), "default: %v", err)
		}
	}
}
