package definition

import (
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

type Signatures struct{}

func (s *Signatures) verify(store storer.EncodedObjectStorer, commit *object.Commit) (string, error) {
	return "", nil
}
