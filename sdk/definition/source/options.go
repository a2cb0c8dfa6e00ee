package source

import (
	"net/http"

	"golang.org/x/crypto/ssh"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// Options says what [Load] reads, from where and how much. The zero value reads ./Dockerfile with the whole
// repository as context.
type Options struct {
	// Dir is the build context's directory in the repository, with slashes. Default: its root.
	Dir string
	// Dockerfile is the file's path relative to Dir; it may be outside of Dir, but not of the repository. It may be a
	// higher-level definition that one of Compilers takes. Default: "Dockerfile", and where there is none the first of the
	// compilers' own names that exists.
	Dockerfile string
	// Compilers take higher-level definitions. Default: none, so that every file is read as a Dockerfile.
	Compilers []definition.Compiler
	// Targets are the names of what is wanted of a higher-level definition: targets, groups or patterns. Default: what the
	// definition itself has as default. A Dockerfile has no targets in this sense, and they are not looked at.
	Targets []string

	// AllowDirty reads the work tree of a local repository when it has changes. See [Load].
	AllowDirty bool
	// Ignore are more patterns in .gitignore's form for files that don't make a work tree dirty, such as those of git's
	// core.excludesFile, which is not read.
	Ignore []string
	// AllowAbsent takes a context that has submodules or Git LFS files, whose content is not in the repository.
	// Default: an [*AbsentError].
	AllowAbsent bool
	// Signatures, when set, asks for a commit signed by one of its keys. AllowDirty does not count then.
	Signatures *Signatures

	// Auth logs in to a remote repository. Credentials in the URL are used when it is the zero value.
	Auth Auth
	// HTTP is the client for https URLs. Default: one that uses Go's default transport and no timeout but ctx's.
	HTTP *http.Client
	// AllowInsecure takes plain http to hosts other than this one. Default: [ErrInsecure].
	AllowInsecure bool
	// CacheDir is a directory that keeps what was fetched, one bare repository for each commit, for the next Load. It may
	// be shared by processes; whoever owns it clears it up. Default: memory, kept by the definition.
	CacheDir string

	// MaxFiles limits the context's entries, directories and those that .dockerignore leaves out one by one among them.
	// Default: 100,000.
	MaxFiles int
	// MaxBytes limits the context's files together. Default: 1 GiB.
	MaxBytes int64
	// MaxFile limits each of them, in bytes. Default: 256 MiB.
	MaxFile int64
	// MaxDockerfile limits the Dockerfile, .dockerignore and .gitattributes, in bytes each. Default: [definition.MaxDockerfile].
	MaxDockerfile int64
	// MaxFetch limits what is taken from a remote repository, in bytes as sent and again as unpacked. Default: 1 GiB.
	MaxFetch int64
}

// Auth logs in to a remote repository. Nothing is taken from the environment, ~/.ssh or an agent.
type Auth struct {
	// User and Password log in over HTTPS. A token is a Password; User may then be empty.
	User, Password string
	// Signers returns the keys to try over SSH, such as those of golang.org/x/crypto/ssh/agent. It is called once for each
	// connection.
	Signers func() ([]ssh.Signer, error)
	// HostKey checks the SSH server's key; golang.org/x/crypto/ssh/knownhosts makes one from known_hosts files. There is
	// no default: without one, SSH is refused.
	HostKey ssh.HostKeyCallback
	// HostKeyAlgorithms limits the kinds of host key asked for, best to those that HostKey knows. Default: all.
	HostKeyAlgorithms []string
}

// withDefaults fills the fields that are zero.
func (o Options) withDefaults() Options {
	if o.Dir == "" {
		o.Dir = "."
	}
	if o.MaxFiles == 0 {
		o.MaxFiles = 100_000
	}
	for _, limit := range []struct {
		field *int64
		value int64
	}{{&o.MaxBytes, 1 << 30}, {&o.MaxFile, 256 << 20}, {&o.MaxDockerfile, definition.MaxDockerfile}, {&o.MaxFetch, 1 << 30}} {
		if *limit.field == 0 {
			*limit.field = limit.value
		}
	}
	return o
}
