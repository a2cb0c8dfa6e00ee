package catalog

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Document is what catalog files say, format version 1: the files of a catalog put together, in the order of their
// paths. The JSON names are the keys of the YAML format; [Schema] is its JSON Schema. Every object knows its Place.
type Document struct {
	// Version of the format: 1.
	Version int `json:"version"`
	// Name and Revision are what the authors call the catalog and its present state, for records.
	Name     string `json:"name,omitempty"`
	Revision string `json:"revision,omitempty"`
	// Owner is the default owner of what the same file lists; that of the first file is the catalog's own.
	Owner string `json:"owner,omitempty"`
	// Owners tells how to reach an owner: "linux-team": "#linux on chat".
	Owners map[string]string `json:"owners,omitempty"`

	// Include lists what else belongs to the catalog.
	Include       []Include      `json:"include,omitempty"`
	Bases         []Base         `json:"bases,omitempty"`
	HTTP          []HTTPRule     `json:"http,omitempty"`
	Git           []GitRule      `json:"git,omitempty"`
	Contexts      *ContextRule   `json:"contexts,omitempty"`
	Args          *ArgRule       `json:"args,omitempty"`
	Inline        *InlineRule    `json:"inline,omitempty"`
	Substitutions []Substitution `json:"substitutions,omitempty"`
	Exceptions    []Exception    `json:"exceptions,omitempty"`
	Bans          []Ban          `json:"bans,omitempty"`
	Templates     []Template     `json:"templates,omitempty"`
}

// BaseKind is what a base may be used for.
type BaseKind string

// The kinds of base.
const (
	// BaseRuntime may stand under the image that is delivered, and anywhere else too. It is the default.
	BaseRuntime BaseKind = "runtime"
	// BaseBuildOnly may be a build stage or be copied and mounted from, and never stand under the image that is delivered.
	BaseBuildOnly BaseKind = "build-only"
	// BaseFrontend may be named by a syntax line, by digest. The builder uses its own frontend in its place.
	BaseFrontend BaseKind = "frontend"
)

// State is how Ops stands to a base.
type State string

// The states.
const (
	StatePreferred  State = "preferred"
	StateAllowed    State = "allowed"    // the default
	StateDeprecated State = "deprecated" // from Since on a warning; from the end of Until on it is refused
	StateBanned     State = "banned"     // refused, whatever other entries say; an exception may allow it
)

// Base is an entry: images of one repository that definitions may use.
type Base struct {
	Selector
	// Owner answers for the entry. Default: the file's owner.
	Owner string `json:"owner,omitempty"`
	// Kinds is what it may be used for. Default: runtime.
	Kinds []BaseKind `json:"kinds,omitempty"`
	// Platforms it may be used on, "linux/arm64". Default: any.
	Platforms []string `json:"platforms,omitempty"`
	// State with Since and Until; see the states.
	State State `json:"state,omitempty"`
	Since Date  `json:"since,omitzero"`
	Until Date  `json:"until,omitzero"`
	// EndOfLife is when its publisher stops to mend it. After it every use is a warning; Until refuses.
	EndOfLife Date `json:"endOfLife,omitzero"`
	// Age limits how old an image may be when it is used.
	Age AgeRule `json:"age,omitzero"`
	// Signature is a PEM public key; the image must carry a cosign signature by it.
	Signature string `json:"signature,omitempty"`
	// Note is shown with decisions.
	Note string `json:"note,omitempty"`

	Place finding.Place `json:"-"`
}

// AgeRule limits the time since an image was created, as its config says. Min is the cool-down before a new image may be
// used; a substitution or ban marked as security goes around it.
type AgeRule struct {
	Min Span `json:"min,omitzero"`
	Max Span `json:"max,omitzero"`
}

// HTTPRule allows ADD of files from a host, below a path.
type HTTPRule struct {
	// Host is "host" or "host:port", compared as a whole.
	Host string `json:"host,omitempty"`
	// Path is compared by segments: "/dist" allows /dist and /dist/x, not /distant. Of several rules the one with the
	// longest path decides. Default: everything.
	Path string `json:"path,omitempty"`
	// Unpinned allows files without --checksum.
	Unpinned bool `json:"unpinned,omitempty"`
	// Insecure allows plain http.
	Insecure bool   `json:"insecure,omitempty"`
	Owner    string `json:"owner,omitempty"`

	Place finding.Place `json:"-"`
}

// GitRule allows ADD of git repositories of a host, below a path.
type GitRule struct {
	Host string `json:"host,omitempty"`
	// Path is compared by segments, a ".git" at the end aside.
	Path string `json:"path,omitempty"`
	// Unpinned allows branches and tags; otherwise the definition must name a commit.
	Unpinned bool `json:"unpinned,omitempty"`
	// Insecure allows git:// and plain http.
	Insecure bool   `json:"insecure,omitempty"`
	Owner    string `json:"owner,omitempty"`

	Place finding.Place `json:"-"`
}

// ContextRule says which named contexts a build may be given. Without it none.
type ContextRule struct {
	// Allow are glob patterns for their names.
	Allow []string `json:"allow,omitempty"`

	Place finding.Place `json:"-"`
}

// ArgRule says which build arguments and ARG defaults may be part of an image reference. Without it all may: the value
// really used is judged in any case. Platform arguments (TARGETARCH and its like) always may.
type ArgRule struct {
	From []string `json:"from,omitempty"`

	Place finding.Place `json:"-"`
}

// InlineRule says which findings of lint rules a comment in a definition may suppress. Without it the rules' own defaults
// hold. A comment gives a reason and an end in any case.
type InlineRule struct {
	// Allow and Forbid are ids of rules, "DF5002": those that may be suppressed, and those that may not, whatever a rule's
	// own default is.
	Allow  []string `json:"allow,omitempty"`
	Forbid []string `json:"forbid,omitempty"`
	// MaxDays is how many days ahead the end of a suppression may lie. Default: no limit.
	MaxDays int `json:"maxDays,omitempty"`
	// Hadolint and BuildKit honour the comments of those tools, which have neither reason nor end. Default: they are
	// reported and do nothing.
	Hadolint bool `json:"hadolint,omitempty"`
	BuildKit bool `json:"buildkit,omitempty"`

	Place finding.Place `json:"-"`
}

// Target is where a substitution or a ban moves a base to. Exactly one of Tag, Version and Newest is given, or none when
// Digest or Repository is.
type Target struct {
	// Repository is the successor. Default: the same repository.
	Repository string `json:"repository,omitempty"`
	// Tag is taken as it is.
	Tag string `json:"tag,omitempty"`
	// Version replaces the version in the tag and keeps its prefix and suffix: 10.4.8-alpine becomes 10.4.9-alpine.
	Version string `json:"version,omitempty"`
	// Newest is a semver range: the newest tag of the registry in it, of the same family, that the catalog allows, that is
	// no pre-release, past its cool-down and not older than what was asked for.
	Newest string `json:"newest,omitempty"`
	// Digest pins the target; without it the digest is what the registry says.
	Digest string `json:"digest,omitempty"`
}

// String describes the target: "version 10.4.9", "registry.example/base:2".
func (t Target) String() string {
	s := t.Repository
	switch {
	case t.Tag != "" && s != "":
		s += ":" + t.Tag
	case t.Tag != "":
		s = "tag " + t.Tag
	case t.Version != "":
		s = strings.TrimSpace(s + " version " + t.Version)
	case t.Newest != "":
		s = strings.TrimSpace(s + " the newest allowed of " + t.Newest)
	}
	if t.Digest != "" {
		s += "@" + t.Digest
	}
	return s
}

// Substitution moves a base to another one while it is built; nothing in the repository changes. The first that matches,
// in the order of the files, is used, and then those that match its target.
type Substitution struct {
	From Selector `json:"from"`
	To   Target   `json:"to"`
	// Reason is told to the developers.
	Reason string `json:"reason,omitempty"`
	Owner  string `json:"owner,omitempty"`
	// Security lets the target be younger than its entry's cool-down.
	Security bool `json:"security,omitempty"`

	Place finding.Place `json:"-"`
}

// Exception allows one project something for a time.
type Exception struct {
	ID      string   `json:"id,omitempty"`
	Project Selected `json:"project"`
	Scope   Scope    `json:"scope"`
	// Reason, Owner (who needs it), Approver and Ticket are for those who ask later. All but Ticket are required.
	Reason   string `json:"reason,omitempty"`
	Owner    string `json:"owner,omitempty"`
	Approver string `json:"approver,omitempty"`
	Ticket   string `json:"ticket,omitempty"`
	// From is when it begins, by default at once; Until when it ends. Until is required.
	From  Date `json:"from,omitzero"`
	Until Date `json:"until,omitzero"`
	// Warn is how long before its end each use is a warning. Default: 14d.
	Warn Span `json:"warn,omitzero"`

	Place finding.Place `json:"-"`
}

// Selected is the projects that an exception is for. There is no way to mean all of them.
type Selected struct {
	// Repository is the source repository's URL; https, ssh and scp forms of one repository are the same. "/*" at the end
	// means every repository directly in that group; a group has at least a host and a name.
	Repository string `json:"repository,omitempty"`
	// Path is a directory in it; definitions at it or below are meant. Default: all.
	Path string `json:"path,omitempty"`
	// When is a further condition on the project, an expression such as labels["tier"] == "test". It needs a [Loader] with
	// Conditions; package catalog/cel has one.
	When string `json:"when,omitempty"`
}

// Scope is what an exception allows. Exactly one field is given.
type Scope struct {
	// Image is what may be used although no entry allows it. A ban still holds.
	Image *Selector `json:"image,omitempty"`
	// Rule is the id of a rule whose findings are suppressed, "DF2003". The rules of this package can't be: use Image.
	Rule string `json:"rule,omitempty"`
	// Ban is the id of a ban that does not hold for the project.
	Ban string `json:"ban,omitempty"`
}

// Ban takes images out of use, whoever built on them and whatever entries and exceptions say. It names them by
// repository, tags or versions, by digests anywhere, or by a package that they carry.
type Ban struct {
	ID string `json:"id,omitempty"`
	Selector
	// Package bans images with this package in them; Repository narrows it down.
	Package *Package `json:"package,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	// Advisory is an id or URL: "CVE-2026-12345".
	Advisory string `json:"advisory,omitempty"`
	// Severity is "low", "medium", "high" or "critical".
	Severity string `json:"severity,omitempty"`
	// WarnFrom is when uses become a warning, DenyFrom when they are refused. DenyFrom is required.
	WarnFrom Date `json:"warnFrom,omitzero"`
	DenyFrom Date `json:"denyFrom,omitzero"`
	// Replacement is where bases are moved once they are refused.
	Replacement *Target `json:"replacement,omitempty"`
	Author      string  `json:"author,omitempty"`
	Approver    string  `json:"approver,omitempty"`
	// Lifted ends the ban. A ban is lifted, not deleted, so that the record stays.
	Lifted *Lifted `json:"lifted,omitempty"`

	Place finding.Place `json:"-"`
}

// Package is an operating-system or language package in an image. From and Below are in the order of the package's own
// type; without them every version is meant.
type Package struct {
	// Type is "deb", "apk", "rpm", "npm", "pypi", "gem" or another type of a package URL.
	Type string `json:"type,omitempty"`
	Name string `json:"name,omitempty"`
	// From is the first version that is banned, Below the first that is not any more.
	From  string `json:"from,omitempty"`
	Below string `json:"below,omitempty"`
	// Distro narrows an operating system's package down to one, as a package URL does: ID and VERSION_ID of os-release,
	// "debian-12", or the ID alone. Distributions mend one fault in versions of their own. Default: all.
	Distro string `json:"distro,omitempty"`
}

// String describes the package: "deb libssl3 from 3.0.0 below 3.0.14-1 in debian-12".
func (p Package) String() string {
	words := []string{p.Type, p.Name}
	for _, part := range [][2]string{{"from", p.From}, {"below", p.Below}, {"in", p.Distro}} {
		if part[1] != "" {
			words = append(words, part[0], part[1])
		}
	}
	return strings.Join(words, " ")
}

// Lifted says when a ban ended, who ended it and why.
type Lifted struct {
	At     Date   `json:"at,omitzero"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}
