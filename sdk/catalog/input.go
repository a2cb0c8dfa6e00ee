package catalog

import "github.com/plimsoll-dev/plimsoll/sdk/finding"

// Kind is what an input is.
type Kind string

// The kinds of input.
const (
	KindImage   Kind = "image"   // an image from a registry
	KindGit     Kind = "git"     // a git repository
	KindHTTP    Kind = "http"    // a file over http or https
	KindContext Kind = "context" // a named context or other local source that the caller adds to a build
)

// Role is what a definition does with an input.
type Role string

// The roles of an input. An image that stands under the final stage is a RoleBase with Runtime set.
const (
	RoleBase     Role = "base"      // FROM
	RoleCopy     Role = "copy-from" // COPY --from=image
	RoleMount    Role = "mount"     // RUN --mount=from=image
	RoleAdd      Role = "add"       // ADD of a URL or a git repository
	RoleFrontend Role = "frontend"  // # syntax=
	RoleOnBuild  Role = "onbuild"   // named by a trigger inherited from a base image
	RoleContext  Role = "context"   // a named context
)

// Input is one source that a build of a definition will really read, on one platform. Inputs are facts: they are
// gathered first (package definition/inputs) and judged afterwards without network, clock or disk.
type Input struct {
	Kind Kind `json:"kind"`
	Role Role `json:"role"`
	// Platform is the one that it is read for, "linux/amd64" or "linux/arm/v7": for an image, whose manifest is taken.
	Platform string `json:"platform"`
	// BuiltFor is the build's target platform when that is another, as with FROM --platform=$BUILDPLATFORM.
	BuiltFor string `json:"builtFor,omitempty"`
	// Written is the reference as the source has it, variables unexpanded: "${BASE}:${V}-alpine".
	Written string `json:"written"`
	// Ref is the full reference after expansion, registry and tag spelled out: "docker.io/library/debian:12". For git and
	// http it is the URL.
	Ref string `json:"ref"`
	// Digest is what Ref means now in the registry ("sha256:..." of the index or manifest that Ref names), or the checksum
	// or commit that the definition pins for http and git. Empty means unresolved, which no catalog allows for an image.
	Digest string `json:"digest,omitempty"`
	// Stage is the name or number of the stage that reads it.
	Stage string `json:"stage,omitempty"`
	// Runtime says that the final image stands on this input: its layers are the base's layers.
	Runtime bool `json:"runtime,omitempty"`
	// Reachable is false for inputs of stages that the target does not need; BuildKit does not read them.
	Reachable bool `json:"reachable"`
	// Place is the token that names it.
	Place finding.Place `json:"place"`
	// From are other places that the value depends on, such as the ARG that FROM expands.
	From []finding.Related `json:"from,omitempty"`
}
