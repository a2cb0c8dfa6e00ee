package source

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// location is a repository's address, taken apart.
type location struct {
	name   string // as it may be printed
	scheme string // "" for a path, else https, http, ssh or file
	path   string // on this machine or the server
	url    url.URL
	auth   Auth // from the URL
}

func (l location) local() bool { return l.scheme == "" || l.scheme == "file" }

// parseLocation reads a path or URL. The error has a location with a printable name.
func parseLocation(repository string) (location, error) {
	if !strings.Contains(repository, "://") {
		return parsePath(repository)
	}
	u, err := url.Parse(repository)
	if err != nil {
		if parse, ok := errors.AsType[*url.Error](err); ok { // it prints the URL, with its password
			err = parse.Err
		}
		return location{name: redact(repository)}, fmt.Errorf("not a URL: %w", err)
	}
	l := location{name: redact(repository), scheme: strings.ToLower(u.Scheme), path: u.Path, url: *u}
	if u.User != nil {
		l.auth.User = u.User.Username()
		l.auth.Password, _ = u.User.Password()
		l.url.User = nil
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return l, errors.New("the URL of a repository has neither query nor fragment; give the ref and credentials by themselves")
	}
	switch l.scheme {
	case "https", "http", "ssh":
		if u.Host == "" || strings.Trim(u.Path, "/") == "" {
			return l, errors.New("the URL needs a host and a path")
		}
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return l, fmt.Errorf("a file URL can't name the host %q", u.Host)
		}
		l.path = filepath.FromSlash(u.Path)
	default:
		return l, fmt.Errorf("%w: scheme %q; use https, ssh, file or a path", ErrInsecure, l.scheme)
	}
	return l, nil
}

// parsePath tells user@host:path from a path on this machine; a path that exists is one.
func parsePath(repository string) (location, error) {
	if repository == "" {
		return location{name: "repository"}, errors.New("neither path nor URL is given")
	}
	l := location{name: repository, path: repository}
	host, path, ok := strings.Cut(repository, ":")
	if !ok || path == "" || len(host) < 2 || strings.ContainsAny(host, `/\`) {
		return l, nil
	}
	if _, err := os.Lstat(repository); err == nil {
		return l, nil
	}
	l.scheme, l.path = "ssh", path
	if i := strings.LastIndex(host, "@"); i >= 0 {
		l.auth.User, host = host[:i], host[i+1:]
	}
	l.url = url.URL{Scheme: "ssh", Host: host}
	return l, nil
}

// protected says whether what is sent there can be read or changed on the way.
func (l location) protected() bool {
	if l.scheme != "http" {
		return true
	}
	host := l.url.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// redact takes the credentials out of a URL, however broken it is. The user name of SSH is no secret and stays.
func redact(repository string) string {
	scheme, rest, ok := strings.Cut(repository, "://")
	if !ok {
		return repository
	}
	u, err := url.Parse(repository)
	if err != nil { // all up to the last @ may be a password
		return scheme + "://" + rest[strings.LastIndex(rest, "@")+1:]
	}
	switch {
	case u.User != nil && scheme == "ssh":
		u.User = url.User(u.User.Username())
	default:
		u.User = nil
	}
	u.RawQuery, u.Fragment = "", ""
	return u.String()
}

// SSHServer returns the server of a repository that is reached over SSH, as "host:port", and whether it is.
func SSHServer(repository string) (server string, ok bool) {
	l, err := parseLocation(repository)
	if err != nil || l.scheme != "ssh" {
		return "", false
	}
	port := l.url.Port()
	if port == "" {
		port = "22"
	}
	return net.JoinHostPort(l.url.Hostname(), port), true
}
