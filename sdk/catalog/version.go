package catalog

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// tagVersion is a tag read as a version: prefix, one to three numbers, a pre-release and a suffix that names the family,
// as in "v1.4.9-rc.1-alpine". Tags of one family differ in the version only.
type tagVersion struct {
	prefix  string // "v" or ""
	numbers [3]uint64
	parts   int    // how many numbers the tag has; "12" may mean any 12.x.y
	pre     string // "rc.1", dots between words and numbers; "" for a release
	suffix  string // "alpine", "slim"; without the dash
}

// What tags call their pre-releases. "a", "b", "m" and "dev" count only with a number ("3.14.0a2"): a plain "-dev" is a
// family to many publishers, the variant with a shell and a package manager.
const preWords = `alpha|beta|rc|pre|preview|snapshot|nightly|canary|milestone|ea`

var (
	preComponent = regexp.MustCompile(`^(?i)(?:(` + preWords + `)[.]?([\d.]*)|(a|b|m|dev)[.]?(\d[\d.]*))$`)
	preGlued     = regexp.MustCompile(`^(?i)(` + preWords + `|a|b|c|dev)[.]?(\d+)(?:$|-)`)
)

// parseTag reads a tag as a version. It says no to tags of another form ("bookworm", "1.2.3.4", "latest"): entries list
// those as tags.
func parseTag(tag string) (tagVersion, bool) {
	var t tagVersion
	rest := tag
	if len(rest) > 1 && rest[0] == 'v' && isDigit(rest[1]) {
		t.prefix, rest = "v", rest[1:]
	}
	for {
		end := 0
		for end < len(rest) && isDigit(rest[end]) {
			end++
		}
		// Numbers past nine digits are no versions; the bound also keeps arithmetic on them from overflowing.
		if end == 0 || end > 9 || t.parts == 3 {
			return tagVersion{}, false
		}
		t.numbers[t.parts], _ = strconv.ParseUint(rest[:end], 10, 64)
		t.parts++
		if rest = rest[end:]; rest == "" || rest[0] != '.' {
			break
		}
		rest = rest[1:]
	}
	if m := preGlued.FindStringSubmatch(rest); m != nil {
		t.pre = strings.ToLower(m[1]) + "." + m[2]
		t.suffix = rest[len(m[0]):]
		return t, true
	}
	if rest == "" {
		return t, true
	}
	if rest[0] != '-' || len(rest) == 1 {
		return tagVersion{}, false
	}
	t.pre, t.suffix = cutPrerelease(rest[1:])
	return t, true
}

// cutPrerelease splits what follows the numbers into the pre-release and the suffix: "rc-1-alpine" is rc.1 and alpine.
func cutPrerelease(rest string) (pre, suffix string) {
	first, more, _ := strings.Cut(rest, "-")
	m := preComponent.FindStringSubmatch(first)
	if m == nil {
		return "", rest
	}
	word, number := strings.ToLower(m[1]+m[3]), strings.Trim(m[2]+m[4], ".")
	if number == "" {
		if next, after, _ := strings.Cut(more, "-"); next != "" && strings.Trim(next, "0123456789") == "" {
			number, more = next, after
		}
	}
	if number == "" {
		return word, more
	}
	return word + "." + number, more
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// String writes the tag back. Leading zeros ("24.04") are lost; use it for tags that are being made, not compared.
func (t tagVersion) String() string {
	numbers := make([]string, t.parts)
	for i := range numbers {
		numbers[i] = strconv.FormatUint(t.numbers[i], 10)
	}
	s := t.prefix + strings.Join(numbers, ".")
	if t.pre != "" {
		s += "-" + t.pre
	}
	if t.suffix != "" {
		s += "-" + t.suffix
	}
	return s
}

// family says whether two tags differ in their version only.
func (t tagVersion) family(o tagVersion) bool { return t.prefix == o.prefix && t.suffix == o.suffix }

// unbounded stands for "any number" at the end of a floating tag. It is above every number that parseTag takes, and far
// enough below the type's limit for arithmetic.
const unbounded = math.MaxInt32

// span is the versions that the tag may stand for: "12" floats from 12.0.0 over all of 12, "12.9.1" is one version.
func (t tagVersion) span() (low, high *semver.Version) {
	top := t.numbers
	for i := t.parts; i < len(top); i++ {
		top[i] = unbounded
	}
	return newVersion(t.numbers, t.pre), newVersion(top, t.pre)
}

func newVersion(n [3]uint64, pre string) *semver.Version {
	return semver.New(n[0], n[1], n[2], pre, "")
}

// compare orders versions of one family; the tag that says more numbers is greater when they are equal so far.
func (t tagVersion) compare(o tagVersion) int {
	if c := slices.Compare(t.numbers[:], o.numbers[:]); c != 0 {
		return c
	}
	if t.pre != o.pre {
		return newVersion(t.numbers, t.pre).Compare(newVersion(o.numbers, o.pre))
	}
	return t.parts - o.parts
}

// versionRange is a semver range that knows where its answer can change, so that whole spans can be asked about.
type versionRange struct {
	check  *semver.Constraints
	points []*semver.Version
}

var errEmptyRange = errors.New("no version can be in it")

var numberLiteral = regexp.MustCompile(`(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?`)

// parseRange reads a range such as ">=1.4.8 <2 || ^3.1". One that no version can be in is an error.
func parseRange(text string) (*versionRange, error) {
	check, err := semver.NewConstraint(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a version range such as \">=1.4.8 <2\"", clip(text))
	}
	check.IncludePrerelease = true // pre-releases are told apart before the range is asked
	r := &versionRange{check: check, points: boundaries(text)}
	low, high := semver.New(0, 0, 0, "", ""), semver.New(unbounded, unbounded, unbounded, "", "")
	if !r.overlaps(low, high) {
		return nil, fmt.Errorf("%q: %w", clip(text), errEmptyRange)
	}
	return r, nil
}

// boundaries are the versions at, just below and just above each place where a range made of the text's literals can
// begin or end: the literal itself, its next patch, its next minor and its next major version. Between two neighbours of
// the list the range's answer is constant.
func boundaries(text string) []*semver.Version {
	var points []*semver.Version
	add := func(major, minor, patch uint64) {
		points = append(points, semver.New(major, minor, patch, "", ""))
		switch { // the version just below
		case patch > 0:
			points = append(points, semver.New(major, minor, patch-1, "", ""))
		case minor > 0:
			points = append(points, semver.New(major, minor-1, unbounded, "", ""))
		case major > 0:
			points = append(points, semver.New(major-1, unbounded, unbounded, "", ""))
		}
	}
	add(0, 0, 0)
	add(unbounded, unbounded, unbounded)
	for _, m := range numberLiteral.FindAllStringSubmatch(text, -1) {
		var n [3]uint64
		for i := range n {
			n[i], _ = strconv.ParseUint(m[i+1], 10, 31)
		}
		add(n[0], n[1], n[2])
		add(n[0], n[1], n[2]+1)
		add(n[0], n[1]+1, 0)
		add(n[0]+1, 0, 0)
		if m[4] != "" {
			points = append(points, semver.New(n[0], n[1], n[2], m[4], ""), semver.New(n[0], n[1], n[2], m[4]+".0", ""))
		}
	}
	return points
}

// covers says whether every version from low to high is in the range.
func (r *versionRange) covers(low, high *semver.Version) bool {
	if !r.check.Check(low) {
		return false
	}
	if low.Equal(high) {
		return true
	}
	for _, p := range r.points {
		if !p.LessThan(low) && !p.GreaterThan(high) && !r.check.Check(p) {
			return false
		}
	}
	return r.check.Check(high)
}

// overlaps says whether some version from low to high is in the range.
func (r *versionRange) overlaps(low, high *semver.Version) bool {
	if r.check.Check(low) || r.check.Check(high) {
		return true
	}
	for _, p := range r.points {
		if !p.LessThan(low) && !p.GreaterThan(high) && r.check.Check(p) {
			return true
		}
	}
	return false
}
