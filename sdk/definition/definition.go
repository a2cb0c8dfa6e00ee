// Package definition is what a container definition is: a parsed Dockerfile with byte-exact places, where it came from,
// and its build context. Edits change only what they must; every other byte of the file stays as it was.
//
// Package source loads a [Definition] from a repository at a commit. [Parse] alone reads a Dockerfile from memory, and
// [Apply] and [Diff] change one.
//
// The package does not say what a build would read, with variables resolved and stages followed: that is package
// inputs. It touches neither network, disk nor environment and keeps no state.
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
	// Commit is the full hex id that Ref meant when it was read; "" when the definition came from no commit.
	Commit string `json:"commit"`
	// CommitTime is the committer's time in UTC. Builds use it as SOURCE_DATE_EPOCH.
	CommitTime time.Time `json:"commitTime"`
	// Directory is the context's path in the repository, "." for its root.
	Directory string `json:"directory"`
	// Dockerfile is the file's path in the repository.
	Dockerfile string `json:"dockerfile"`
	// Dirty says that the content is not that of Commit: it was read from a work tree that differs, or from no
	// repository at all. Only a caller that allowed it gets such a definition, and nothing that publishes accepts one
	// silently.
	Dirty bool `json:"dirty,omitempty"`
	// Signer is whose signature on the commit was verified, "" when none was asked for.
	Signer string `json:"signer,omitempty"`
}

// Definition is a container definition and everything a build of it may read from the repository.
// It is immutable and safe for concurrent use; only a dirty one reads its files from the work tree as they are then.
type Definition struct {
	Source Source
	// File is the parsed Dockerfile.
	File *File
	// Context is the build context, .dockerignore applied, with the modes that git knows (0644, 0755, symbolic links)
	// and the commit's time on every entry. It implements fs.ReadLinkFS, fs.StatFS and fs.ReadDirFS. Symbolic links are
	// never followed by it: they open and Stat as themselves.
	Context fs.FS
	// Absent is what the context lacks because the repository does not hold it, a *source.AbsentError, by
	// source.Options.AllowAbsent; nil when it is whole. Submodules are empty directories in Context, and Git LFS files are
	// their pointers.
	Absent error
	// Build is what a higher-level definition says beside the Dockerfile; zero when the Dockerfile is the definition.
	Build Build
	// Contexts are the named contexts that are directories of the repository, by name.
	Contexts map[string]fs.FS
	// Map leads from File to what was written, when File was compiled; see [Definition.Written].
	Map Map
	// Files are the repository's, to quote from; nil when there are none.
	Files fs.FS
}

// WithDockerfile returns the definition with another Dockerfile, such as one that [Apply] has rewritten. Name, source
// and context stay. The error is a [*SyntaxError].
func (d *Definition) WithDockerfile(src []byte) (*Definition, error) {
	limit := max(MaxDockerfile, 2*int64(len(d.File.Src))) // what was taken may grow
	file, err := ParseLimited(d.File.Name, src, limit)
	if err != nil {
		return nil, err
	}
	rewritten := *d
	rewritten.File = file
	return &rewritten, nil
}
