package catalog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// reference is a parsed image reference. References are compared by these fields, never by prefixes of their text, so
// "registry.io.evil/x" has nothing in common with "registry.io/x".
type reference struct {
	repository string // registry and path, Docker Hub spelled "docker.io/library/debian"
	tag        string // "" when there is none
	digest     string // "sha256:..." or ""
}

// String returns the reference with all the parts it has.
func (r reference) String() string {
	s := r.repository
	if r.tag != "" {
		s += ":" + r.tag
	}
	if r.digest != "" {
		s += "@" + r.digest
	}
	return s
}

// named is the reference without its digest, for people: "docker.io/library/debian:12".
func (r reference) named() string {
	if r.tag == "" {
		return r.String()
	}
	return reference{repository: r.repository, tag: r.tag}.String()
}

// parseReference reads a full reference: registry and path, and a tag, a digest or both. It is stricter than most
// registries' clients: whatever could be read in two ways is refused.
func parseReference(s string) (reference, error) {
	body, digest, pinned := strings.Cut(s, "@")
	if pinned && !validDigest(digest) {
		return reference{}, fmt.Errorf("digest %q is not sha256: and 64 hex digits in lower case", clip(digest))
	}
	tag, err := name.NewTag(body, name.WithDefaultTag(""))
	if err != nil {
		return reference{}, fmt.Errorf("%q is not an image reference (registry/repository:tag)", clip(s))
	}
	repository, err := canonicalRepository(body, tag.Repository)
	if err != nil {
		return reference{}, err
	}
	ref := reference{repository: repository, tag: tag.TagStr(), digest: digest}
	if ref.tag == "" && ref.digest == "" {
		return reference{}, fmt.Errorf("%q has neither tag nor digest", clip(s))
	}
	if ref.tag != "" && strings.ContainsRune(".-", rune(ref.tag[0])) {
		return reference{}, fmt.Errorf("tag %q begins with %q", clip(ref.tag), ref.tag[:1])
	}
	return ref, nil
}

// FullReference spells an image reference out as Docker does: "debian" is "docker.io/library/debian:latest". It judges
// nothing; what it makes of a text that is no reference is none either.
func FullReference(ref string) string {
	name, digest, pinned := strings.Cut(ref, "@")
	host, path, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, path = "docker.io", name
	}
	if host == "index.docker.io" {
		host = "docker.io"
	}
	if host == "docker.io" && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	if pinned {
		return host + "/" + path + "@" + digest
	}
	if !strings.Contains(path, ":") {
		path += ":latest"
	}
	return host + "/" + path
}

// parseRepository reads a repository with its registry spelled out: "docker.io/library/debian". Only the canonical
// spelling is taken; the error names it.
func parseRepository(s string) (string, error) {
	repo, err := name.NewRepository(s)
	if err != nil {
		return "", fmt.Errorf("%q is not a repository (registry/path, lower case, without tag and digest)", clip(s))
	}
	canonical, err := canonicalRepository(s, repo)
	if err != nil {
		return "", err
	}
	if canonical != s {
		return "", fmt.Errorf("repository %q is spelled out as %q; write that", clip(s), canonical)
	}
	return canonical, nil
}

// canonicalRepository checks what the library lets pass (path segments such as "..", upper case and odd ports in
// hosts, a registry left out) and spells Docker Hub's registry in one way.
func canonicalRepository(written string, repo name.Repository) (string, error) {
	host, path := repo.RegistryStr(), repo.RepositoryStr()
	if host == name.DefaultRegistry {
		host = "docker.io"
		if !strings.HasPrefix(written, "docker.io/") && !strings.HasPrefix(written, name.DefaultRegistry+"/") {
			return "", fmt.Errorf("%q names no registry; write %q", clip(written), clip(host+"/"+path))
		}
	}
	if err := checkHost(host); err != nil {
		return "", err
	}
	for segment := range strings.SplitSeq(path, "/") {
		if !validSegment(segment) {
			return "", fmt.Errorf("%q is not a valid part of the repository path %q", clip(segment), clip(path))
		}
	}
	return host + "/" + path, nil
}

// checkHost takes a host name or IP address in lower case with an optional port.
func checkHost(s string) error {
	if strings.Contains(s, "/") {
		return fmt.Errorf("%q is not a host; leave out the scheme and the path", clip(s))
	}
	host, port, hasPort := strings.Cut(s, ":")
	if strings.HasPrefix(s, "[") {
		var ok bool
		if host, port, ok = strings.Cut(s, "]"); !ok {
			return fmt.Errorf("host %q has no closing bracket", clip(s))
		}
		host = strings.TrimPrefix(host, "[")
		port, hasPort = strings.CutPrefix(port, ":")
		if strings.Trim(host, "0123456789abcdef:.") != "" || host == "" {
			return fmt.Errorf("host %q is not an IPv6 address in lower case", clip(s))
		}
	} else {
		for label := range strings.SplitSeq(host, ".") {
			if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
				label[0] == '-' || label[len(label)-1] == '-' {
				return fmt.Errorf("host %q is not a host name in lower case", clip(s))
			}
		}
	}
	if !hasPort {
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("port %q of host %q is not a number from 1 to 65535", clip(port), clip(host))
	}
	return nil
}

// validSegment is the distribution specification's path component: alphanumeric runs with one ".", one or two "_" or
// any number of "-" between them.
func validSegment(s string) bool {
	separator := ""
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			if separator != "" && separator != "." && separator != "_" && separator != "__" &&
				strings.Trim(separator, "-") != "" {
				return false
			}
			separator = ""
		case c == '.' || c == '_' || c == '-':
			if i == 0 {
				return false
			}
			separator += string(c)
		default:
			return false
		}
	}
	return s != "" && separator == ""
}

// validDigest takes sha256 digests in their one canonical spelling.
func validDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// parsePlatform brings "linux/arm64/v8", "linux/aarch64" and "linux/arm64" to one spelling.
func parsePlatform(s string) (string, error) {
	os, rest, _ := strings.Cut(strings.ToLower(s), "/")
	arch, variant, hasVariant := strings.Cut(rest, "/")
	if os == "" || arch == "" || hasVariant && variant == "" || strings.Trim(os+arch+variant, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return "", fmt.Errorf("platform %q is not os/arch or os/arch/variant", clip(s))
	}
	switch arch {
	case "x86_64", "x86-64":
		arch = "amd64"
	case "aarch64":
		arch = "arm64"
	case "i386":
		arch = "386"
	case "armhf":
		arch, variant = "arm", "v7"
	case "armel":
		arch, variant = "arm", "v6"
	}
	switch {
	case arch == "amd64" && variant == "v1", arch == "arm64" && (variant == "v8" || variant == "8"):
		variant = ""
	case arch == "arm" && variant == "":
		variant = "v7"
	}
	if variant != "" {
		return os + "/" + arch + "/" + variant, nil
	}
	return os + "/" + arch, nil
}

// clip keeps a stranger's text in an error short.
func clip(s string) string {
	if len(s) > 120 {
		return strings.ToValidUTF8(s[:117], "") + "..."
	}
	return s
}
