package lineage

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Check says what is wrong with a batch, before anything of it is written. Stores call it first.
func (b *Batch) Check() error {
	for i := range b.Images {
		if err := b.Images[i].check(); err != nil {
			return err
		}
	}
	for i := range b.Edges {
		if err := b.Edges[i].check(); err != nil {
			return err
		}
	}
	for _, t := range b.Tags {
		if t.Repository == "" || t.Name == "" || t.Digest != "" && !validDigest(t.Digest) {
			return fmt.Errorf("%w: tag %q of %q with digest %q", ErrInvalid, t.Name, t.Repository, t.Digest)
		}
		if err := text("tag", t.Repository, t.Name); err != nil {
			return err
		}
	}
	for _, inv := range b.Inventories {
		if !validDigest(inv.Image) {
			return fmt.Errorf("%w: packages of %q: it is not a digest", ErrInvalid, inv.Image)
		}
		for _, p := range inv.Packages {
			if err := text("packages of "+inv.Image, p.Type, p.Name, p.Version); err != nil {
				return err
			}
		}
		if err := text("packages of "+inv.Image, inv.Distro, inv.Source); err != nil {
			return err
		}
	}
	for _, in := range b.Instances {
		if in.Place == "" || in.ID == "" || !validDigest(in.Digest) {
			return fmt.Errorf("%w: instance %q at %q of image %q: it needs a place, an id and a digest", ErrInvalid, in.ID, in.Place, in.Digest)
		}
		if err := text("instance", in.Place, in.ID, in.Name); err != nil {
			return err
		}
	}
	for key, value := range b.Marks {
		if err := text("mark", key); err != nil {
			return err
		}
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return fmt.Errorf("%w: mark %q: its value is not UTF-8 without NUL", ErrInvalid, key)
		}
	}
	return nil
}

func (i *Image) check() error {
	digests := append([]string{i.Digest}, i.Below...)
	for _, optional := range []string{i.Config, i.Chain} {
		if optional != "" {
			digests = append(digests, optional)
		}
	}
	for _, child := range i.Manifests {
		digests = append(digests, child.Digest)
	}
	for _, d := range digests {
		if !validDigest(d) {
			return fmt.Errorf("%w: image %q: %q is not a digest", ErrInvalid, i.Digest, d)
		}
	}
	for _, child := range i.Manifests {
		if err := text("image "+i.Digest, child.Platform); err != nil {
			return err
		}
	}
	if err := text("image "+i.Digest, i.Platform, i.Owner, i.Note, i.Definition.Repository, i.Definition.Commit, i.Definition.Path); err != nil {
		return err
	}
	if i.Kind != KindManifest && i.Kind != KindIndex {
		return fmt.Errorf("%w: image %s is of kind %q, neither manifest nor index", ErrInvalid, i.Digest, i.Kind)
	}
	return nil
}

func (e *Edge) check() error {
	switch {
	case !validDigest(e.Image.Digest):
		return fmt.Errorf("%w: edge of %q: it is not a digest", ErrInvalid, e.Image.Digest)
	case e.Base == "" && e.Name == "" || e.Base != "" && !validDigest(e.Base):
		return fmt.Errorf("%w: edge of %s: its base is %q, named %q: it needs a digest or a name", ErrInvalid, e.Image.Digest, e.Base, e.Name)
	case e.Base == e.Image.Digest:
		return fmt.Errorf("%w: edge of %s: an image can't stand on itself", ErrInvalid, e.Image.Digest)
	case e.Role == "" || e.Grade == GradeNone || gradeNames[e.Grade] == "":
		return fmt.Errorf("%w: edge of %s: role %q, evidence %s", ErrInvalid, e.Image.Digest, e.Role, e.Grade)
	case e.Grade == GradeLayers:
		return fmt.Errorf("%w: edge of %s: edges of layers come from Image.Chain and Below and are not put", ErrInvalid, e.Image.Digest)
	}
	return text("edge of "+e.Image.Digest, e.Name, e.Source, string(e.Role))
}

// maxText is the longest text that a store takes, in bytes. What a registry says may be longer: who fills a store cuts it.
const maxText = 1024

// text says what is wrong with texts: databases take neither NUL nor what is not UTF-8.
func text(what string, texts ...string) error {
	for _, s := range texts {
		if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return fmt.Errorf("%w: %s: the text %.40q has %d bytes: up to %d of UTF-8 without NUL are kept", ErrInvalid, what, s, len(s), maxText)
		}
	}
	return nil
}

// validDigest is for sha256 and sha512, the algorithms of the OCI image specification (descriptor.md).
func validDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	size := 64
	if !ok {
		if hex, ok = strings.CutPrefix(s, "sha512:"); !ok {
			return false
		}
		size = 128
	}
	return len(hex) == size && strings.Trim(hex, "0123456789abcdef") == ""
}
