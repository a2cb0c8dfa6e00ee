package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/memory"
)

// Change is another text for one file of a repository, to be put on a branch of its own. All fields but Base and SignOff
// are required.
type Change struct {
	// Path is the file's, from the root of the repository, with slashes. It must be there.
	Path string
	// Before is the text that the change was made for and After what it shall be.
	Before, After []byte
	// Base is the name of the branch that the change is for. Default: the one that HEAD means.
	Base string
	// Branch is the name of the branch to put it on.
	Branch string
	// Author is who makes the commit. By it [Push] knows its own commits again, so it is nobody else's.
	Author Author
	// Time is the commit's.
	Time time.Time
	// Message is the commit's. SignOff adds the line that the Developer Certificate of Origin asks for.
	Message string
	SignOff bool
}

// Author is somebody as git names him.
type Author struct{ Name, Email string }

// String is "Name <email>".
func (a Author) String() string { return a.Name + " <" + a.Email + ">" }

// PushState is what [Push] did.
type PushState string

// What a push can come to.
const (
	// PushCreated and PushUpdated: the branch has a new commit.
	PushCreated PushState = "created"
	PushUpdated PushState = "updated"
	// PushUnchanged: the branch had this change already. Nothing was sent.
	PushUnchanged PushState = "unchanged"
	// PushMerged: the base has this text already. Nothing was sent.
	PushMerged PushState = "merged"
	// PushHeld: somebody else has committed to the branch. Nothing was sent.
	PushHeld PushState = "held"
)

// Pushed is what became of a change.
type Pushed struct {
	State PushState `json:"state"`
	// Branch has the change, Commit is its head, and Base the branch that it is for.
	Branch string `json:"branch"`
	Commit string `json:"commit,omitempty"`
	Base   string `json:"base"`
	// By is who has committed to a branch that is held.
	By string `json:"by,omitempty"`
}

// Why [Push] refuses or fails, beside the errors of [Load]. Each comes inside a [*PushError].
var (
	// ErrBaseChanged: the file is not there any more as the change knows it.
	ErrBaseChanged = errors.New("the file has changed since")
	// ErrRefused: the server does not take the branch, as its hooks or rules for branches say.
	ErrRefused = errors.New("the server refuses the branch")
	// ErrRace: somebody else changed the branch at the same time.
	ErrRace = errors.New("the branch was changed at the same time")
)

// PushError says which branch could not be pushed where. It never holds credentials.
type PushError struct {
	Repository, Branch string
	Err                error
}

func (e *PushError) Error() string {
	return fmt.Sprintf("%s: branch %s: %v", e.Repository, e.Branch, e.Err)
}

// Unwrap returns what is wrong.
func (e *PushError) Unwrap() error { return e.Err }

// Push puts a change on its branch, as one commit on top of the base, in a repository on this machine or a server; see
// [Load] for the forms of its name and for what it reads of opts. Neither a work tree nor HEAD is touched.
//
// It may be called any number of times: a branch that has the change already stays as it is for as long as it can be
// merged, also when the base has moved on (servers that send no partial clones aside, where it then is made anew). A branch
// that somebody else has committed to is left alone. The branch changes in one step, and only if it still is what it was
// when it was looked at.
func Push(ctx context.Context, repository string, change Change, opts Options) (Pushed, error) {
	opts = opts.withDefaults()
	at, err := parseLocation(repository)
	out := Pushed{Branch: change.Branch}
	if err == nil {
		err = change.check()
	}
	if err == nil {
		out, err = push(ctx, at, change, opts)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return out, &PushError{at.name, change.Branch, err}
	}
	return out, nil
}

func (c Change) check() error {
	name := plumbing.NewBranchReferenceName(c.Branch)
	switch {
	case c.Branch == "" || name.Validate() != nil:
		return fmt.Errorf("%q is no name for a branch", c.Branch)
	case c.Branch == c.Base:
		return errors.New("the change needs a branch of its own")
	case c.Path != path.Clean(c.Path) || path.IsAbs(c.Path) || c.Path == "." || strings.HasPrefix(c.Path, "../"):
		return fmt.Errorf("%q is no path in the repository", c.Path)
	case bytes.Equal(c.Before, c.After):
		return errors.New("the change changes nothing")
	case c.Author.Name == "" || c.Author.Email == "" || strings.ContainsAny(c.Author.String()[:len(c.Author.String())-1], "\n\x00") ||
		strings.ContainsAny(c.Author.Name+c.Author.Email, "<>"):
		return errors.New("the commit needs an author with name and e-mail address")
	case strings.TrimSpace(c.Message) == "":
		return errors.New("the commit needs a message")
	}
	return nil
}

// trailer marks commits of [Push], beside their committer.
const trailer = "Plimsoll-Change: "

// host is a repository that can be pushed to.
type host interface {
	// refs are the references and, for HEAD's branch, its name.
	refs(ctx context.Context) (known refs, head string, err error)
	// commits has the commits with their files.
	commits(ctx context.Context, ids ...plumbing.Hash) (storer.EncodedObjectStorer, error)
	// recent says whether a commit is among the last ones of a branch's head.
	recent(ctx context.Context, head, commit plumbing.Hash) (bool, error)
	// update moves a branch from before (zero: it must not be there) to after, in one step.
	update(ctx context.Context, name plumbing.ReferenceName, before, after plumbing.Hash, objects []plumbing.EncodedObject) error
}

func push(ctx context.Context, at location, c Change, opts Options) (Pushed, error) {
	var h host = &remoteHost{at: at, opts: opts}
	if at.local() {
		h = &localHost{at: at}
	}
	known, head, err := h.refs(ctx)
	if err != nil {
		return Pushed{}, err
	}
	if c.Base == "" {
		c.Base = head
	}
	out := Pushed{Branch: c.Branch, Base: c.Base}
	if c.Branch == head || c.Branch == c.Base {
		return out, fmt.Errorf("%s is what HEAD means; the change needs a branch of its own", c.Base)
	}
	base, ok := known[plumbing.NewBranchReferenceName(c.Base).String()]
	if !ok {
		return out, &RefError{Ref: c.Base, Known: known.known()}
	}
	name := plumbing.NewBranchReferenceName(c.Branch)
	existing := known[name.String()]
	ids := []plumbing.Hash{base}
	if !existing.IsZero() && existing != base {
		ids = append(ids, existing)
	}
	store, err := h.commits(ctx, ids...)
	if err != nil {
		return out, err
	}
	parent, err := object.GetCommit(store, base)
	if err != nil {
		return out, err
	}
	switch text, err := fileAt(store, parent, c.Path, opts.MaxDockerfile); {
	case err != nil:
		return out, err
	case bytes.Equal(text, c.After):
		out.State = PushMerged
		return out, nil
	case !bytes.Equal(text, c.Before):
		return out, fmt.Errorf("%w: %s at %s of %s is not what the change was made for; make it again", ErrBaseChanged, c.Path, base.String()[:12], c.Base)
	}
	if !existing.IsZero() && existing != base { // a branch that is its base has nothing of anybody's
		out.Commit = existing.String()
		if out.State, out.By, err = standing(ctx, h, store, existing, base, c, opts); err != nil || out.State != "" {
			return out, err
		}
	}
	commit, objects, err := c.commit(store, parent)
	if err != nil {
		return out, err
	}
	if err := h.update(ctx, name, existing, commit, objects); err != nil {
		return out, err
	}
	out.State, out.Commit = PushCreated, commit.String()
	if !existing.IsZero() {
		out.State = PushUpdated
	}
	return out, nil
}

// standing says whether a branch that is there stays as it is: because it is somebody else's, or because it is right.
func standing(ctx context.Context, h host, store storer.EncodedObjectStorer, existing, base plumbing.Hash, c Change, opts Options) (PushState, string, error) {
	commit, err := object.GetCommit(store, existing)
	if err != nil {
		return "", "", err
	}
	by := Author{commit.Committer.Name, commit.Committer.Email}
	if by != c.Author || !strings.Contains(commit.Message, "\n"+trailer) || len(commit.ParentHashes) != 1 {
		return PushHeld, visible(by.String()), nil
	}
	text, err := fileAt(store, commit, c.Path, opts.MaxDockerfile)
	if err != nil || !bytes.Equal(text, c.After) {
		return "", "", nil //nolint:nilerr // ours and wrong: it is made anew
	}
	if commit.ParentHashes[0] == base {
		return PushUnchanged, "", nil
	}
	recent, err := h.recent(ctx, base, commit.ParentHashes[0])
	if err != nil || !recent {
		return "", "", err
	}
	return PushUnchanged, "", nil
}

func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// fileAt reads a regular file of a commit.
func fileAt(store storer.EncodedObjectStorer, commit *object.Commit, name string, limit int64) ([]byte, error) {
	tree, err := object.GetTree(store, commit.TreeHash)
	if err != nil {
		return nil, err
	}
	entry, err := tree.FindEntry(name)
	if errors.Is(err, object.ErrEntryNotFound) || errors.Is(err, object.ErrDirectoryNotFound) {
		return nil, fmt.Errorf("%w: %s is not there any more", ErrBaseChanged, name)
	}
	if err != nil {
		return nil, err
	}
	if !entry.Mode.IsFile() || entry.Mode == filemode.Symlink {
		return nil, fmt.Errorf("%w: %s is no regular file", ErrBaseChanged, name)
	}
	blob, err := object.GetBlob(store, entry.Hash)
	if err != nil {
		return nil, err
	}
	if blob.Size > limit {
		return nil, &LimitError{Option: "MaxDockerfile", Limit: limit, Found: blob.Size}
	}
	r, err := blob.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// commit makes the commit and the objects that the repository does not have.
func (c Change) commit(store storer.EncodedObjectStorer, parent *object.Commit) (plumbing.Hash, []plumbing.EncodedObject, error) {
	made := &objects{}
	id, err := made.blob(c.After)
	if err != nil {
		return id, nil, err
	}
	if id, err = made.tree(store, parent.TreeHash, strings.Split(c.Path, "/"), id); err != nil {
		return id, nil, err
	}
	who := object.Signature{Name: c.Author.Name, Email: c.Author.Email, When: c.Time.UTC().Truncate(time.Second)}
	message := strings.TrimRight(c.Message, "\n") + "\n\n" + trailer + plumbing.ComputeHash(plumbing.BlobObject, c.After).String() + "\n"
	if c.SignOff {
		message += "Signed-off-by: " + c.Author.String() + "\n"
	}
	id, err = made.add(&object.Commit{Author: who, Committer: who, Message: message, TreeHash: id, ParentHashes: []plumbing.Hash{parent.Hash}})
	return id, made.all, err
}

// objects are git objects that were made here.
type objects struct{ all []plumbing.EncodedObject }

func (o *objects) add(value interface {
	Encode(plumbing.EncodedObject) error
},
) (plumbing.Hash, error) {
	raw := memory.NewStorage().NewEncodedObject()
	if err := value.Encode(raw); err != nil {
		return plumbing.ZeroHash, err
	}
	o.all = append(o.all, raw)
	return raw.Hash(), nil
}

func (o *objects) blob(text []byte) (plumbing.Hash, error) {
	raw := memory.NewStorage().NewEncodedObject()
	raw.SetType(plumbing.BlobObject)
	w, err := raw.Writer()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if _, err := w.Write(text); err != nil {
		return plumbing.ZeroHash, err
	}
	o.all = append(o.all, raw)
	return raw.Hash(), w.Close()
}

// tree is a tree with one file exchanged, whose mode stays, and with it the trees above.
func (o *objects) tree(store storer.EncodedObjectStorer, id plumbing.Hash, names []string, blob plumbing.Hash) (plumbing.Hash, error) {
	tree, err := object.GetTree(store, id)
	if err != nil {
		return id, err
	}
	i := slices.IndexFunc(tree.Entries, func(e object.TreeEntry) bool { return e.Name == names[0] })
	if i < 0 {
		return id, object.ErrEntryNotFound
	}
	changed := &object.Tree{Entries: slices.Clone(tree.Entries)}
	changed.Entries[i].Hash = blob
	if len(names) > 1 {
		if changed.Entries[i].Hash, err = o.tree(store, tree.Entries[i].Hash, names[1:], blob); err != nil {
			return id, err
		}
	}
	return o.add(changed)
}
