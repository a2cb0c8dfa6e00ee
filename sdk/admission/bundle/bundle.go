// Package bundle is the deny bundle: what Ops compiles from catalog and lineage, signs and hands to every gate, so that
// a start can be judged without a network. It says of each digest whether it is denied, by which ban, along which path
// of images, and what to use instead.
//
//	b := bundle.NewBuilder(bundle.Header{Name: "production", Version: 42, Issued: now, Expires: now.Add(24 * time.Hour)})
//	ban := b.Ban(bundle.Ban{ID: "BAN-7", Reason: "CVE-2026-12345", DenyFrom: now, WayOut: "build on base/debian:12.9"})
//	base := b.Node(bundle.Node{Name: "base/debian:12.8", Digest: debian})
//	b.Deny(image, bundle.Cause{Ban: ban, On: base, Role: "base", Evidence: "signed provenance"})
//	err := b.Write(ctx, file, signer)
//
//	deny, err := bundle.Load(ctx, data, verifier)   // a daemon: all of it checked, then in memory
//	deny, err := bundle.Open(ctx, file, verifier)   // one decision: only what it touches is read and checked
//	entry, err := deny.Find(digest)
//
// # Format
//
// A bundle is one file: a magic line, a DSSE envelope over a small JSON document ([Header]), and the sections that the
// document names by size and SHA-256. The digests are records of 36 bytes, sorted, in pages of 2048; the section before
// them has each page's first digest and hash. So the signature covers every byte, one lookup reads one page, there are no
// false positives, and a file that is cut off, longer or changed anywhere is an error. Bans and reasons are tables of
// JSON documents, images along paths one of strings: an offset for each, then the items.
//
// A delta ([Diff], [Apply]) has what changed and the new envelope. What comes out of it must have the hashes that were
// signed, so a delta needs no signature of its own.
//
// The package neither fetches bundles nor keeps them (package agent), and does not decide (package admission).
package bundle

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// PayloadType is that of the envelope's payload, a [Header].
const PayloadType = "application/vnd.plimsoll.deny-bundle.v1+json"

// MediaType is a bundle's, DeltaMediaType a delta's, in registries and over HTTP.
const (
	MediaType      = "application/vnd.plimsoll.deny-bundle.v1"
	DeltaMediaType = "application/vnd.plimsoll.deny-delta.v1"
)

// Errors that callers branch on.
var (
	// ErrInvalid says that the bytes are no bundle, or not all of one, or not those that were signed.
	ErrInvalid = errors.New("not a whole, unchanged deny bundle")
	// ErrDigest says that a digest can't be looked up: it is malformed, or of another algorithm than SHA-256.
	ErrDigest = errors.New("not a SHA-256 digest")
	// ErrDelta says that a delta is for another version than the one at hand.
	ErrDelta = errors.New("the delta is for another version")
)

// Header is what is signed.
type Header struct {
	// Name is the stream that the bundle belongs to, "production": a bundle of one stream is none of another's.
	Name string `json:"name"`
	// Version counts up within a stream. A gate that has seen one takes no lower one.
	Version uint64 `json:"version"`
	// Issued is when it was compiled, Expires until when it may be relied on.
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
	// Catalog is the digest of the catalog that it was compiled from.
	Catalog string `json:"catalog,omitempty"`

	// Records is how many digests there are, denied ones and known ones; Denied how many of them are denied.
	Records int `json:"records"`
	Denied  int `json:"denied"`
	// The sections, in the order of the file. Pages vouches for the records behind it.
	Bans    Section `json:"bans"`
	Nodes   Section `json:"nodes"`
	Reasons Section `json:"reasons"`
	Pages   Section `json:"pages"`
}

// Section is a part of the file.
type Section struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Ban is what a gate has to know of a catalog's ban.
type Ban struct {
	ID       string `json:"id"`
	Reason   string `json:"reason"`
	Advisory string `json:"advisory,omitempty"`
	Severity string `json:"severity,omitempty"`
	// WarnFrom and DenyFrom are when starts become a warning, and when they are refused. The gate compares them with its own
	// clock, so a bundle made in advance does what it should. A zero DenyFrom denies at once.
	WarnFrom time.Time `json:"warnFrom,omitzero"`
	DenyFrom time.Time `json:"denyFrom,omitzero"`
	// WayOut tells the team what to do: "build on base/debian:12.9".
	WayOut string `json:"wayOut,omitempty"`
	// By is who answers for the ban.
	By string `json:"by,omitempty"`
}

// Node is an image along a path to a banned base.
type Node struct {
	Digest string `json:"digest,omitempty"`
	Name   string `json:"name,omitempty"`
	// Base is the node below, 0 when this is the end of the path: what the ban names. Role and Evidence are of that edge.
	Base     NodeID `json:"base,omitempty"`
	Role     string `json:"role,omitempty"`
	Evidence string `json:"evidence,omitempty"`
}

// NodeID names a node of one [Builder]. The zero value is no node.
type NodeID uint32

// BanID names a ban of one [Builder].
type BanID uint32

// Cause is one reason why a digest is denied: a ban, and the image that it stands on along the way to what is banned.
type Cause struct {
	Ban BanID `json:"ban"`
	// On is the image below; 0 means that the digest is itself what the ban names.
	On NodeID `json:"on,omitempty"`
	// Role and Evidence are of the edge to it: "base", "signed provenance".
	Role     string `json:"role,omitempty"`
	Evidence string `json:"evidence,omitempty"`
}

// Entry is what a bundle says about a digest.
type Entry struct {
	// Listed says that it is in the bundle: denied, or known and not denied.
	Listed bool
	// Denials are why it is denied, now or at a time to come.
	Denials []Denial
}

// Denial is a ban that concerns a digest.
type Denial struct {
	Ban Ban
	// Path leads from the digest's image down to what the ban names. Empty: it is itself what is named.
	Path []Step
}

// Step is one edge of a path: the image below, what the image above has of it, and how that is known.
type Step struct {
	Name     string `json:"name,omitempty"`
	Digest   string `json:"digest,omitempty"`
	Role     string `json:"role,omitempty"`
	Evidence string `json:"evidence,omitempty"`
}

// String is "base/debian:12.8 (base, by signed provenance)".
func (s Step) String() string {
	name := s.Name
	if name == "" {
		name = s.Digest
	}
	if s.Role == "" {
		return name
	}
	return fmt.Sprintf("%s (%s, by %s)", name, s.Role, s.Evidence)
}

// Key is a SHA-256 digest.
type Key [32]byte

// ParseKey reads "sha256:" and 64 lower-case hexadecimal digits.
func ParseKey(digest string) (Key, error) {
	var k Key
	text, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || len(text) != 64 || strings.ToLower(text) != text {
		return k, fmt.Errorf("%w: %.80q", ErrDigest, digest)
	}
	if _, err := hex.Decode(k[:], []byte(text)); err != nil {
		return k, fmt.Errorf("%w: %.80q", ErrDigest, digest)
	}
	return k, nil
}

// String returns "sha256:...".
func (k Key) String() string { return "sha256:" + hex.EncodeToString(k[:]) }
