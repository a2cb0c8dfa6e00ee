package source

import (
	"errors"
	"fmt"
	"strings"
)

// What [Load] finds wrong. Each comes inside a [*LoadError]; those with more to say are types of their own.
var (
	// ErrNoRepository: there is no repository there, or it is hidden from this caller.
	ErrNoRepository = errors.New("no git repository there")
	// ErrEmptyRepository: the repository has no commit yet.
	ErrEmptyRepository = errors.New("repository has no commit")
	// ErrLogin: the server wants credentials, or refused those given.
	ErrLogin = errors.New("login was refused")
	// ErrInsecure: the URL's scheme protects neither content nor credentials.
	ErrInsecure = errors.New("connection would not be protected")
	// ErrNoDirectory: the context directory does not exist at that commit.
	ErrNoDirectory = errors.New("no such directory at that commit")
	// ErrOutside: a path or a symbolic link leads out of the repository.
	ErrOutside = errors.New("leads out of the repository")
)

// LoadError says which repository and ref could not be loaded. It never holds credentials.
type LoadError struct {
	Repository, Ref string
	Err             error
}

func (e *LoadError) Error() string {
	if e.Ref == "" {
		return e.Repository + ": " + e.Err.Error()
	}
	return e.Repository + " at " + e.Ref + ": " + e.Err.Error()
}

// Unwrap returns what is wrong.
func (e *LoadError) Unwrap() error { return e.Err }

// RefError says that a ref means nothing in a repository, or more than one commit.
type RefError struct {
	Ref string
	// Meanings are the full names or ids that Ref could mean; none when it means nothing.
	Meanings []string
	// Known are the branches and tags that exist.
	Known []string
}

func (e *RefError) Error() string {
	if len(e.Meanings) > 0 {
		return fmt.Sprintf("ref %q is ambiguous: it can mean %s; give the full name or id", e.Ref, strings.Join(e.Meanings, " or "))
	}
	s := fmt.Sprintf("no branch, tag or commit %q", e.Ref)
	if known := few(e.Known, 10); known != "" {
		s += "; there is " + known
	}
	return s
}

// DockerfileError says that there is no Dockerfile at Path.
type DockerfileError struct {
	Path string
	// Candidates are files beside it, and in the context directory, that look like Dockerfiles.
	Candidates []string
}

func (e *DockerfileError) Error() string {
	s := "no Dockerfile at " + e.Path
	if candidates := few(e.Candidates, 10); candidates != "" {
		s += "; did you mean " + candidates + "?"
	}
	return s
}

// DirtyError says which files of a work tree differ from its commit.
type DirtyError struct {
	// Files are the changed, deleted and untracked files, sorted.
	Files []string
}

func (e *DirtyError) Error() string {
	return "work tree has changes that are not committed: " + few(e.Files, 5) +
		"; commit them, name a commit to build that one, or allow a dirty work tree"
}

// AbsentError says what a commit names but its repository does not hold.
type AbsentError struct {
	// Submodules are directories that belong to other repositories, LFS files whose content is in Git LFS.
	Submodules, LFS []string
}

func (e *AbsentError) Error() string {
	var parts []string
	if len(e.Submodules) > 0 {
		parts = append(parts, "submodule "+few(e.Submodules, 5))
	}
	if len(e.LFS) > 0 {
		parts = append(parts, "Git LFS file "+few(e.LFS, 5))
	}
	return "content is not in the repository: " + strings.Join(parts, ", ") +
		"; exclude it in .dockerignore, or allow it to be absent"
}

// LimitError says which limit of [Options] was passed.
type LimitError struct {
	// Option is the field's name, Path the file or directory that went over it ("" for the whole).
	Option, Path string
	// Limit is the field's value; Found is what there is, or the part of it that was seen before giving up.
	Limit, Found int64
}

func (e *LimitError) Error() string {
	where := e.Path
	if where == "" {
		where = "repository"
	}
	return fmt.Sprintf("%s: %d is over the limit %s of %d", where, e.Found, e.Option, e.Limit)
}

// few lists names and leaves out those that are too many.
func few(names []string, limit int) string {
	if len(names) <= limit {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
}
