package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// location is a URL reduced to what rules compare: where, and how it is fetched.
type location struct {
	scheme string // "https", "http", "ssh", "git" or "file"
	host   string // lower case, without the scheme's default port; "" for a local path
	path   string // begins with a slash; no query, fragment, "." or ".."
}

var scpForm = regexp.MustCompile(`^(?:[A-Za-z0-9_.-]+@)?([A-Za-z0-9.-]+):/?([^/\\].*)$`)

// ambiguous are the encoded forms of characters that structure a path.
var ambiguous = regexp.MustCompile(`(?i)%(2f|5c|2e|25|00)`)

// parseLocation reads a URL, git's "user@host:path" form or a local path. What one program could read as one place and
// another as a second is refused: user names that look like hosts, encoded slashes, backslashes, "..".
func parseLocation(s string) (location, error) {
	if s == "" || strings.ContainsAny(s, "\\\x00\r\n\t ") {
		return location{}, fmt.Errorf("%q is not a URL", clip(redact(s)))
	}
	if !strings.Contains(s, "://") {
		if m := scpForm.FindStringSubmatch(s); m != nil {
			return newLocation("ssh", m[1], "/"+m[2])
		}
		if !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, ".") {
			return location{}, fmt.Errorf("%q is not a URL (https://host/path)", clip(s))
		}
		return location{scheme: "file", path: s}, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return location{}, fmt.Errorf("%q is not a URL", clip(redact(s)))
	}
	switch u.Scheme {
	case "https", "http", "ssh", "git", "file":
	default:
		return location{}, fmt.Errorf("%q: scheme %q is none of https, http, ssh, git, file", clip(redact(s)), clip(u.Scheme))
	}
	if u.User != nil && u.Scheme != "ssh" {
		return location{}, errors.New("a URL with a user name or password in it; give credentials to the builder instead")
	}
	if u.Opaque != "" || ambiguous.MatchString(u.EscapedPath()) {
		return location{}, fmt.Errorf("%q: the path has encoded slashes, dots or the like, which servers read in different ways", clip(redact(s)))
	}
	return newLocation(u.Scheme, u.Host, u.Path)
}

func newLocation(scheme, host, path string) (location, error) {
	host = strings.ToLower(host)
	if scheme != "file" || host != "" {
		if err := checkHost(host); err != nil {
			return location{}, err
		}
	}
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "ssh":
		host = strings.TrimSuffix(host, ":22")
	case "git":
		host = strings.TrimSuffix(host, ":9418")
	}
	if path == "" {
		path = "/"
	}
	if inner := strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"); inner != "" {
		for segment := range strings.SplitSeq(inner, "/") {
			if segment == "." || segment == ".." || segment == "" {
				return location{}, fmt.Errorf("path %q has an empty part, \".\" or \"..\"", clip(path))
			}
		}
	}
	return location{scheme: scheme, host: host, path: path}, nil
}

// redact takes the user and password out of a URL before it is shown.
func redact(s string) string {
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		if _, after, found := strings.Cut(rest, "@"); found {
			return scheme + "://***@" + after
		}
	}
	return s
}

// below says whether path is dir or lies below it, segment by segment.
func below(path, dir string) bool {
	path, dir = strings.Trim(path, "/"), strings.Trim(dir, "/")
	return dir == "" || path == dir || strings.HasPrefix(path, dir+"/")
}
