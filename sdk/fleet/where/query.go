package where

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// query is a question to lineage.
type query struct {
	text     string
	of       lineage.Of        // of derivedFrom
	packages []catalog.Package // of carries
}

// derivedFrom reads the arguments of a question for what stands on an image.
func derivedFrom(args []string) (query, error) {
	if len(args) < 1 || len(args) > 2 {
		return query{}, fmt.Errorf("derivedFrom takes an image and perhaps a range of versions, not %d arguments", len(args))
	}
	q := query{text: fmt.Sprintf("derivedFrom(%q)", strings.Join(args, `", "`))}
	if _, digest, ok := strings.Cut(args[0], "@"); ok || strings.HasPrefix(args[0], "sha256:") {
		if !ok {
			digest = args[0]
		}
		if len(args) == 2 {
			return q, errors.New("a digest has no range of versions")
		}
		q.of.Digests = []string{digest}
		_, err := q.of.Resolve(context.Background(), lineage.NewMemory())
		return q, err
	}
	tag, err := name.NewTag(args[0], name.WithDefaultTag(""))
	if err != nil {
		return q, fmt.Errorf("%q is neither a digest nor a reference", args[0])
	}
	q.of.Repository = tag.Context().Name()
	if path, ok := strings.CutPrefix(q.of.Repository, name.DefaultRegistry+"/"); ok {
		q.of.Repository = "docker.io/" + path
	}
	if len(args) == 1 {
		if want := tag.TagStr(); want != "" {
			q.of.Tag = func(t string) bool { return t == want }
		}
		return q, nil
	}
	check, err := semver.NewConstraint(args[1])
	if err != nil {
		return q, fmt.Errorf("%q is no range of versions such as \">=12 <12.9\": %w", args[1], err)
	}
	least := parts(args[1])
	q.of.Tag = func(t string) bool { return line(t, tag.TagStr()) && within(check, t, least) }
	return q, nil
}

// line says whether a tag is of the line that another names: "12.8-slim" is of "12".
func line(tag, of string) bool {
	rest, ok := strings.CutPrefix(tag, of)
	return ok && (of == "" || rest == "" || rest[0] == '.' || rest[0] == '-')
}

var number = regexp.MustCompile(`\d+(\.\d+)*`)

// parts is how many numbers the most exact version of a range has: two in ">=12 <12.9".
func parts(text string) int {
	most := 0
	for _, v := range number.FindAllString(text, -1) {
		most = max(most, strings.Count(v, ".")+1)
	}
	return most
}

// within compares the version that a tag begins with; what follows it ("-slim") is the family and does not matter. A tag
// that says less than the range ("12" for "<12.9") moves from one version to the next and is none itself.
func within(check *semver.Constraints, tag string, least int) bool {
	text, _, _ := strings.Cut(tag, "-")
	v, err := semver.NewVersion(text)
	return err == nil && parts(text) >= min(least, 3) && check.Check(v)
}

// carries reads the arguments of a question for what has a package.
func carries(args []string) (query, error) {
	if len(args) < 1 || len(args) > 2 {
		return query{}, fmt.Errorf("carries takes a package and perhaps a range of versions, not %d arguments", len(args))
	}
	q := query{text: fmt.Sprintf("carries(%q)", strings.Join(args, `", "`))}
	kinds := []string{"deb", "apk", "rpm"}
	pkg := args[0]
	if kind, rest, ok := strings.Cut(pkg, "/"); ok && !strings.HasPrefix(pkg, "@") {
		kinds, pkg = []string{kind}, rest
	}
	if pkg == "" || kinds[0] == "" {
		return q, fmt.Errorf("%q names no package; write \"libssl3\" or \"deb/libssl3\"", args[0])
	}
	p := catalog.Package{Name: pkg}
	if len(args) == 2 {
		if err := bounds(&p, args[1]); err != nil {
			return q, err
		}
	}
	for _, kind := range kinds {
		p.Type = kind
		q.packages = append(q.packages, p)
	}
	return q, nil
}

// bounds reads "<3.0.14" and ">=3.0.0 <3.0.14": versions as package managers write them, which are no semantic versions.
func bounds(p *catalog.Package, text string) error {
	fields := strings.Fields(strings.ReplaceAll(text, ",", " "))
	for _, f := range fields {
		switch {
		case strings.HasPrefix(f, ">=") && len(f) > 2 && p.From == "":
			p.From = f[2:]
		case strings.HasPrefix(f, "<") && !strings.HasPrefix(f, "<=") && len(f) > 1 && p.Below == "":
			p.Below = f[1:]
		default:
			return fmt.Errorf("%q is no range of a package's versions; write \"<3.0.14\" or \">=3.0.0 <3.0.14\"", text)
		}
	}
	if len(fields) == 0 {
		return errors.New("the range of versions is empty; leave it out if all are meant")
	}
	return nil
}
