package lint

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Sections are the second-level headings that every rule's page has, in this order.
func Sections() []string {
	return []string{"What", "Why", "Bad", "Good", "Configuration", "Also known as"}
}

var namePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Validate checks rules as data: ids and names well-formed and unique, group and severity set, a page with all
// [Sections], each with text. It returns all that is wrong, joined; those who add rules call it in a test.
func Validate(rules []Rule) error {
	var errs []error
	ids, names := map[string]bool{}, map[string]bool{}
	for _, r := range rules {
		wrong := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("rule %s %s: "+format, append([]any{r.ID, r.Name}, args...)...))
		}
		if err := checkRule(&r); err != nil {
			errs = append(errs, err)
		}
		if !idPattern.MatchString(r.ID) {
			wrong("the id is not two upper-case letters and four digits")
		}
		if !namePattern.MatchString(r.Name) {
			wrong("the name is not lower-case words joined by dashes")
		}
		if ids[r.ID] || names[r.Name] {
			wrong("the id or the name is used twice")
		}
		ids[r.ID], names[r.Name] = true, true
		if r.Title == "" || strings.HasSuffix(r.Title, ".") {
			wrong("the title is empty or ends with a full stop")
		}
		if !slices.Contains(Groups(), r.Group) {
			wrong("the group %q is not one of %q", r.Group, Groups())
		}
		if err := checkDoc(r); err != nil {
			wrong("%w", err)
		}
	}
	return errors.Join(errs...)
}

// checkDoc checks that the page is the rule's and says everything.
func checkDoc(r Rule) error {
	if want := "# " + r.ID + " " + r.Name + "\n"; !strings.HasPrefix(r.Doc, want) {
		return fmt.Errorf("the page does not begin with %q", want)
	}
	rest := r.Doc
	for i, section := range Sections() {
		_, after, ok := strings.Cut(rest, "\n## "+section+"\n")
		if !ok {
			return fmt.Errorf("the page has no section %q, or not in its place", section)
		}
		body, _, _ := strings.Cut(after, "\n## ")
		if strings.TrimSpace(body) == "" {
			return fmt.Errorf("section %q of the page is empty", section)
		}
		if last := i == len(Sections())-1; last {
			for _, alias := range r.Aliases {
				_, name, _ := strings.Cut(alias, ":")
				if !strings.Contains(body, name) {
					return fmt.Errorf("section %q of the page does not name %s", section, alias)
				}
			}
		}
		rest = "\n" + after
	}
	return nil
}
