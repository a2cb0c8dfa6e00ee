package source

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

const minHex = 4 // digits of the shortest abbreviated id, as git has it

// refs are the references of a repository by full name, HEAD among them, and the object each means.
type refs map[string]plumbing.Hash

// find returns the references that a short or full name can mean.
func (r refs) find(ref string) []string {
	if ref == "" {
		ref = "HEAD"
	}
	var found []string
	for _, format := range []string{"%s", "refs/heads/%s", "refs/tags/%s", "refs/remotes/%s"} {
		name := fmt.Sprintf(format, ref)
		if format == "%s" && name != "HEAD" && !strings.HasPrefix(name, "refs/") {
			continue
		}
		if _, ok := r[name]; ok {
			found = append(found, name)
		}
	}
	return found
}

// known lists branches and tags for an error.
func (r refs) known() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r)) {
		for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
			if short, ok := strings.CutPrefix(name, prefix); ok {
				names = append(names, short)
			}
		}
	}
	return names
}

// isHex says whether s can be an id or, from minHex digits on, the beginning of one.
func isHex(s string) bool {
	return len(s) >= minHex && len(s) <= 40 && strings.Trim(s, "0123456789abcdef") == ""
}

// resolveRef finds the one commit that a ref means in a store that has all objects.
func resolveRef(store storer.EncodedObjectStorer, known refs, ref string) (*object.Commit, error) {
	meanings := map[plumbing.Hash]string{}
	var commit *object.Commit
	add := func(name string, hash plumbing.Hash) error {
		c, err := peel(store, hash)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, ok := meanings[c.Hash]; !ok {
			meanings[c.Hash], commit = name, c
		}
		return nil
	}
	if isHex(ref) && len(ref) == 40 { // an id means itself, whatever somebody named a branch
		c, err := peel(store, plumbing.NewHash(ref))
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			return nil, &RefError{Ref: ref, Known: known.known()}
		}
		return c, err
	}
	for _, name := range known.find(ref) {
		if err := add(name, known[name]); err != nil {
			return nil, err
		}
	}
	if isHex(ref) {
		ids, err := expand(store, ref)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if err := add(id.String(), id); err != nil {
				return nil, err
			}
		}
	}
	switch len(meanings) {
	case 1:
		return commit, nil
	case 0:
		return nil, &RefError{Ref: ref, Known: known.known()}
	default:
		return nil, &RefError{Ref: ref, Meanings: slices.Sorted(maps.Values(meanings))}
	}
}

// expand returns the commits and tags whose ids begin with hex digits.
func expand(store storer.EncodedObjectStorer, prefix string) ([]plumbing.Hash, error) {
	var found []plumbing.Hash
	if s, ok := store.(interface {
		HashesWithPrefix(prefix []byte) ([]plumbing.Hash, error)
	}); ok {
		whole, err := hex.DecodeString(prefix[:len(prefix)/2*2])
		if err != nil {
			return nil, err
		}
		all, err := s.HashesWithPrefix(whole)
		if err != nil {
			return nil, err
		}
		for _, h := range all {
			obj, err := store.EncodedObject(plumbing.AnyObject, h)
			if err != nil {
				return nil, err
			}
			if t := obj.Type(); strings.HasPrefix(h.String(), prefix) && (t == plumbing.CommitObject || t == plumbing.TagObject) {
				found = append(found, h)
			}
		}
		return found, nil
	}
	for _, kind := range []plumbing.ObjectType{plumbing.CommitObject, plumbing.TagObject} {
		iter, err := store.IterEncodedObjects(kind)
		if err != nil {
			return nil, err
		}
		err = iter.ForEach(func(o plumbing.EncodedObject) error {
			if h := o.Hash(); strings.HasPrefix(h.String(), prefix) {
				found = append(found, h)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// peel follows annotated tags to a commit.
func peel(store storer.EncodedObjectStorer, hash plumbing.Hash) (*object.Commit, error) {
	const maxTags = 10 // tags of tags
	for range maxTags {
		obj, err := store.EncodedObject(plumbing.AnyObject, hash)
		if err != nil {
			return nil, fmt.Errorf("git object %s: %w", hash, err)
		}
		switch obj.Type() {
		case plumbing.CommitObject:
			return object.DecodeCommit(store, obj)
		case plumbing.TagObject:
			tag, err := object.DecodeTag(store, obj)
			if err != nil {
				return nil, fmt.Errorf("git tag %s: %w", hash, err)
			}
			hash = tag.Target
		default:
			return nil, fmt.Errorf("%s is a %s, not a commit", hash, obj.Type())
		}
	}
	return nil, errors.New("tag of a tag, too often")
}
