// Package definition reads container definitions from source control: a repository and a commit in, a parsed
// Dockerfile with byte-exact places and its build context out. Edits change only what they must; every other byte of
// the file stays as it was.
//
// Most callers need [Load] and then the fields of [Definition]. [Parse] alone reads a Dockerfile from memory.
package definition

import (
	"io/fs"
	"time"
)

// Source says where a definition came from. It ends up in findings, annotations and provenance.
type Source struct {
	// Repository is the URL as given, without credentials, or the path of a local repository.
	Repository string `json:"repository"`
	// Ref is what was asked for: a branch, a tag, a commit or "" for HEAD.
	Ref string `json:"ref,omitempty"`
	// Commit is the full hex id that Ref meant when it was read.
	Commit string `json:"commit"`
	// CommitTime is the committer's time in UTC. Builds use it as SOURCE_DATE_EPOCH.
	CommitTime time.Time `json:"commitTime"`
	// Directory is the context's path in the repository, "." for its root.
	Directory string `json:"directory"`
	// Dockerfile is the file's path in the repository.
	Dockerfile string `json:"dockerfile"`
	// Dirty says that the content was read from a work tree that differs from Commit. Only a caller that allowed it
	// gets such a definition, and nothing that publishes accepts one silently.
	Dirty bool `json:"dirty,omitempty"`
}

// Definition is a container definition and everything a build of it may read from the repository.
// It is immutable and safe for concurrent use.
type Definition struct {
	Source Source
	// File is the parsed Dockerfile.
	File *File
	// Context is the build context, .dockerignore applied, with the modes that git knows (0644, 0755, symbolic links)
	// and the commit's time on every entry. It implements fs.ReadLinkFS, fs.StatFS and fs.ReadDirFS. Symbolic links are
	// never followed by it.
	Context fs.FS
}
