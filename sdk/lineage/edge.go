package lineage

import (
	"strings"
	"time"
)

// Role is what an image has of its base.
type Role string

// The roles. RoleBase and RoleTwin mean that the base's files are in the image; all others that the base was at work when
// it was built: a banned compiler makes its programs suspect too.
const (
	RoleBase     Role = "base"     // it stands on it: FROM of the final stage
	RoleTwin     Role = "twin"     // the same layers, another configuration: which one stands on which can't be told
	RoleStage    Role = "stage"    // a stage of its build stood on it
	RoleCopy     Role = "copy"     // COPY --from took files out of it
	RoleMount    Role = "mount"    // RUN --mount=from gave its build the files
	RoleFrontend Role = "frontend" // "# syntax=" had it read the definition
	RoleInput    Role = "input"    // its build read it, and no more is known
)

// Runtime says whether the base's files are in the image because it stands on them. Files that were copied out of a
// stage or an image are in it too, but which ones is not known here: those are told apart.
func (r Role) Runtime() bool { return r == RoleBase || r == RoleTwin }

// Edge says that an image stands on another, and how that is known.
type Edge struct {
	// Image is above. From a store comes at least its digest; Platform, Config and Chain too if they are known.
	Image Image `json:"image"`
	// Base is the digest of what is below, as the evidence names it: an index, a manifest or a config. "" when the evidence
	// has a name only.
	Base string `json:"base,omitempty"`
	// Name is what the evidence calls the base: "docker.io/library/debian:12".
	Name  string `json:"name,omitempty"`
	Role  Role   `json:"role"`
	Grade Grade  `json:"evidence"`
	// Source says where the evidence is: "attestation sha256:...", "annotations", "its first 5 of 8 layers".
	Source string `json:"source,omitempty"`
	// Time is of the evidence: when it was built, or first seen.
	Time time.Time `json:"time,omitzero"`
}

// SplitName takes a name of a base apart: "docker.io/library/debian:12@sha256:..." is repository "docker.io/library/debian"
// and tag "12".
func SplitName(name string) (repository, tag string) {
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, ""
}
