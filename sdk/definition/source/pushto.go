package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/memory"
)

// maxRecent is how many commits of a base are looked at for the one that a branch starts from.
const maxRecent = 200

// remoteHost is a server.
type remoteHost struct {
	at         location
	opts       Options
	advertised *packp.AdvRefs
}

func (h *remoteHost) refs(ctx context.Context) (refs, string, error) {
	session, err := connect(ctx, h.at, h.opts)
	if err != nil {
		return nil, "", remoteError(err)
	}
	defer session.Close()
	if h.advertised, err = session.AdvertisedReferencesContext(ctx); err != nil {
		return nil, "", remoteError(err)
	}
	known := remoteRefs(h.advertised)
	return known, h.head(known), nil
}

// head is the name of HEAD's branch. Old servers say only what it means.
func (h *remoteHost) head(known refs) string {
	for _, ref := range h.advertised.Capabilities.Get(capability.SymRef) {
		if name, ok := strings.CutPrefix(ref, "HEAD:refs/heads/"); ok {
			return name
		}
	}
	for _, name := range []string{"main", "master"} {
		if id, ok := known["refs/heads/"+name]; ok && id == known["HEAD"] {
			return name
		}
	}
	return "HEAD"
}

func (h *remoteHost) commits(ctx context.Context, ids ...plumbing.Hash) (storer.EncodedObjectStorer, error) {
	return h.take(ctx, ids, 1, "")
}

func (h *remoteHost) recent(ctx context.Context, head, commit plumbing.Hash) (bool, error) {
	if !h.advertised.Capabilities.Supports(capability.Filter) || !h.advertised.Capabilities.Supports(capability.Shallow) {
		return false, nil // it would take the files of all of them
	}
	store, err := h.take(ctx, []plumbing.Hash{head}, maxRecent, packp.FilterTreeDepth(0))
	if err != nil {
		return false, err
	}
	return found(store, head, commit), nil
}

// found looks for a commit among those before another that are there.
func found(store storer.EncodedObjectStorer, head, commit plumbing.Hash) bool {
	seen := map[plumbing.Hash]bool{head: true}
	for queue := []plumbing.Hash{head}; len(queue) > 0 && len(seen) <= 4*maxRecent; queue = queue[1:] {
		if queue[0] == commit {
			return true
		}
		c, err := object.GetCommit(store, queue[0])
		if err != nil {
			continue // beyond what was taken
		}
		for _, parent := range c.ParentHashes {
			if !seen[parent] {
				seen[parent] = true
				queue = append(queue, parent)
			}
		}
	}
	return false
}

// take fetches commits, with as much history as depth says.
func (h *remoteHost) take(ctx context.Context, ids []plumbing.Hash, depth int, filter packp.Filter) (storer.EncodedObjectStorer, error) {
	session, err := connect(ctx, h.at, h.opts)
	if err != nil {
		return nil, remoteError(err)
	}
	defer session.Close()
	advertised, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return nil, remoteError(err)
	}
	request := packp.NewUploadPackRequestFromCapabilities(advertised.Capabilities)
	request.Wants = ids
	if advertised.Capabilities.Supports(capability.Shallow) {
		request.Depth = packp.DepthCommits(depth)
		err = request.Capabilities.Set(capability.Shallow)
	}
	if filter != "" {
		request.Filter = filter
		err = errors.Join(err, request.Capabilities.Set(capability.Filter))
	}
	if advertised.Capabilities.Supports(capability.NoProgress) {
		err = errors.Join(err, request.Capabilities.Set(capability.NoProgress))
	}
	if err != nil {
		return nil, err
	}
	store := &limitedMemory{Storage: memory.NewStorage(), limit: h.opts.MaxFetch}
	return store, remoteError(unpack(ctx, session, request, store, h.opts.MaxFetch))
}

func (h *remoteHost) update(ctx context.Context, name plumbing.ReferenceName, before, after plumbing.Hash, objects []plumbing.EncodedObject) error {
	session, err := connectPush(ctx, h.at, h.opts)
	if err != nil {
		return remoteError(err)
	}
	defer session.Close()
	advertised, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return pushError(err, "")
	}
	request := packp.NewReferenceUpdateRequestFromCapabilities(advertised.Capabilities)
	request.Commands = []*packp.Command{{Name: name, Old: before, New: after}}
	said := &lastBytes{}
	if advertised.Capabilities.Supports(capability.Sideband64k) {
		if err := request.Capabilities.Set(capability.Sideband64k); err != nil {
			return err
		}
		request.Progress = said
	}
	pack, err := packOf(objects)
	if err != nil {
		return err
	}
	request.Packfile = io.NopCloser(pack)
	_, err = session.ReceivePack(ctx, request)
	return pushError(err, said.String())
}

func packOf(objects []plumbing.EncodedObject) (io.Reader, error) {
	store := memory.NewStorage()
	var ids []plumbing.Hash
	for _, o := range objects {
		id, err := store.SetEncodedObject(o)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	var pack bytes.Buffer
	_, err := packfile.NewEncoder(&pack, store, false).Encode(ids, 0)
	return &pack, err
}

// pushError puts what a server answers to a push into the words of this package. Said is what its hooks print.
func pushError(err error, said string) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, transport.ErrAuthenticationRequired) || errors.Is(err, transport.ErrAuthorizationFailed) {
		return fmt.Errorf("%w: %w; pushing needs credentials that may write", ErrLogin, err)
	}
	text := err.Error()
	for _, race := range []string{"reference already exists", "fetch first", "cannot lock ref", "failed to update ref", "stale info", "incorrect old value"} {
		if strings.Contains(text, race) {
			return fmt.Errorf("%w (%s); run it again", ErrRace, text)
		}
	}
	for _, refusal := range []string{"declined", "non-fast-forward", "prohibited", "deny", "denied", "not allowed", "protected", "command error"} {
		if strings.Contains(text, refusal) {
			if said != "" {
				text += ": " + visible(strings.Join(strings.Fields(said), " "))
			}
			return fmt.Errorf("%w: %s", ErrRefused, text)
		}
	}
	return remoteError(err)
}

// localHost is a repository on this machine.
type localHost struct {
	at         location
	repository *git.Repository
}

func (h *localHost) refs(context.Context) (refs, string, error) {
	if _, err := os.Stat(h.at.path); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNoRepository, err)
	}
	repository, _, err := openGit(h.at.path)
	if err != nil {
		return nil, "", openError(h.at.path, err)
	}
	h.repository = repository
	known, err := localRefs(repository)
	if err != nil {
		return nil, "", err
	}
	if len(known) == 0 {
		return nil, "", ErrEmptyRepository
	}
	head, err := repository.Storer.Reference(plumbing.HEAD)
	if err != nil {
		return nil, "", err
	}
	return known, head.Target().Short(), nil // "" when HEAD is no branch
}

func (h *localHost) commits(context.Context, ...plumbing.Hash) (storer.EncodedObjectStorer, error) {
	return h.repository.Storer, nil
}

func (h *localHost) recent(_ context.Context, head, commit plumbing.Hash) (bool, error) {
	return found(h.repository.Storer, head, commit), nil
}

func (h *localHost) update(_ context.Context, name plumbing.ReferenceName, before, after plumbing.Hash, objects []plumbing.EncodedObject) error {
	for _, o := range objects {
		if _, err := h.repository.Storer.SetEncodedObject(o); err != nil {
			return err
		}
	}
	var known *plumbing.Reference
	if !before.IsZero() {
		known = plumbing.NewHashReference(name, before)
	}
	err := h.repository.Storer.CheckAndSetReference(plumbing.NewHashReference(name, after), known)
	if err != nil && strings.Contains(err.Error(), "reference has changed") {
		return fmt.Errorf("%w; run it again", ErrRace)
	}
	return err
}
