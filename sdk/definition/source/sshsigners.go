package source

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshSigner is one line of an allowed_signers file.
type sshSigner struct {
	names         string
	key           ssh.PublicKey
	namespaces    []string // patterns; none means any
	after, before time.Time
}

// parseSSHSigner reads a line; nil for an empty one or a comment.
func parseSSHSigner(line string) (*sshSigner, error) {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return nil, nil
	}
	names, rest, _ := strings.Cut(line, " ")
	key, _, options, tail, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil {
		return nil, fmt.Errorf("want names, options and a public key: %w", err)
	}
	if len(bytes.TrimSpace(tail)) > 0 {
		return nil, errors.New("want one line")
	}
	s := &sshSigner{names: strings.Trim(names, `"`), key: key}
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "namespaces":
			s.namespaces = strings.Split(value, ",")
		case "valid-after":
			s.after, err = parseSSHTime(value)
		case "valid-before":
			s.before, err = parseSSHTime(value)
		default:
			err = fmt.Errorf("option %q is not supported", name)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// parseSSHTime reads YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with or without "Z".
func parseSSHTime(s string) (time.Time, error) {
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.Parse(layout, strings.TrimSuffix(s, "Z")); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time of the form YYYYMMDD[HHMM[SS]][Z]", s)
}

// allows says whether the line lets its key sign commits at a time.
func (s *sshSigner) allows(at time.Time) bool {
	if !s.after.IsZero() && at.Before(s.after) || !s.before.IsZero() && !at.Before(s.before) {
		return false
	}
	for _, pattern := range s.namespaces {
		if ok, err := path.Match(pattern, "git"); ok && err == nil {
			return true
		}
	}
	return len(s.namespaces) == 0
}

// findSSH returns the names that a key is listed with, and its fingerprint.
func (s *Signatures) findSSH(key ssh.PublicKey, at time.Time) (string, error) {
	fingerprint := ssh.FingerprintSHA256(key)
	known, found := false, ""
	for i, line := range s.SSH {
		signer, err := parseSSHSigner(line)
		if err != nil {
			return "", &SignersError{"SSH", i, err}
		}
		if signer == nil || !bytes.Equal(signer.key.Marshal(), key.Marshal()) {
			continue
		}
		known = true
		if found == "" && signer.allows(at) {
			found = signer.names + " " + fingerprint
		}
	}
	switch {
	case found != "":
		return found, nil
	case known:
		return "", fmt.Errorf("%w: SSH key %s is not listed for %s", ErrUntrusted, fingerprint, at.UTC().Format(time.DateOnly))
	default:
		return "", fmt.Errorf("%w: SSH key %s is not listed", ErrUntrusted, fingerprint)
	}
}
