package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/storage"
)

// fetch takes a commit from a server, alone where the server allows that, else with all branches and tags.
func fetch(ctx context.Context, at location, ref string, opts Options) (storer.EncodedObjectStorer, *object.Commit, error) {
	session, err := connect(ctx, at, opts)
	if err != nil {
		return nil, nil, remoteError(err)
	}
	defer session.Close()
	advertised, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return nil, nil, remoteError(err)
	}
	known := remoteRefs(advertised)
	want, commit, err := choose(known, advertised, ref)
	if err != nil {
		return nil, nil, err
	}
	target, err := newStore(opts, at.name, commit)
	if err != nil {
		return nil, nil, err
	}
	defer target.discard()
	if !target.complete {
		if err := download(ctx, session, advertised, want, target, opts.MaxFetch); err != nil {
			return nil, nil, remoteError(err)
		}
	}
	if !commit.IsZero() { // ref is known to mean this
		ref = commit.String()
	}
	found, err := resolveRef(target.objects, known, ref)
	if err != nil {
		return nil, nil, err
	}
	store, err := target.keep(found.Hash)
	if err != nil {
		return nil, nil, err
	}
	found, err = object.GetCommit(store, found.Hash)
	return store, found, err
}

// connect opens a session with a server to take objects from it.
func connect(ctx context.Context, at location, opts Options) (transport.UploadPackSession, error) {
	if at.scheme == "ssh" {
		return connectSSH(ctx, at, at.login(opts.Auth), transport.UploadPackServiceName)
	}
	client, endpoint, login, err := overHTTP(at, opts)
	if err != nil {
		return nil, err
	}
	return client.NewUploadPackSession(endpoint, login)
}

// connectPush opens a session with a server to give objects to it.
func connectPush(ctx context.Context, at location, opts Options) (transport.ReceivePackSession, error) {
	if at.scheme == "ssh" {
		return connectSSH(ctx, at, at.login(opts.Auth), transport.ReceivePackServiceName)
	}
	client, endpoint, login, err := overHTTP(at, opts)
	if err != nil {
		return nil, err
	}
	return client.NewReceivePackSession(endpoint, login)
}

// login is what to log in with: the options', or the URL's.
func (l location) login(auth Auth) Auth {
	if auth.User == "" {
		auth.User = l.auth.User
	}
	if auth.Password == "" {
		auth.Password = l.auth.Password
	}
	return auth
}

func overHTTP(at location, opts Options) (transport.Transport, *transport.Endpoint, transport.AuthMethod, error) {
	if !at.protected() && !opts.AllowInsecure {
		return nil, nil, nil, fmt.Errorf("%w: plain http to %s; use https", ErrInsecure, at.url.Host)
	}
	endpoint, err := transport.NewEndpoint(at.url.String())
	if err != nil {
		return nil, nil, nil, err
	}
	auth := at.login(opts.Auth)
	var login transport.AuthMethod
	if auth.Password != "" || auth.User != "" {
		if auth.User == "" {
			auth.User = "git" // servers that take tokens want some name
		}
		login = &githttp.BasicAuth{Username: auth.User, Password: auth.Password}
	}
	return githttp.NewClient(opts.HTTP), endpoint, login, nil
}

func remoteRefs(advertised *packp.AdvRefs) refs {
	known := refs(maps.Clone(advertised.References))
	if advertised.Head != nil {
		known["HEAD"] = *advertised.Head
	}
	return known
}

// choose says which object to ask for and the commit it will turn out to be, if that is known already. A zero want
// asks for everything.
func choose(known refs, advertised *packp.AdvRefs, ref string) (want, commit plumbing.Hash, err error) {
	if isHex(ref) && len(ref) == 40 {
		id := plumbing.NewHash(ref)
		if advertised.Capabilities.Supports(capability.AllowReachableSHA1InWant) {
			return id, id, nil
		}
		for name, hash := range known {
			if hash == id || advertised.Peeled[name] == id {
				return hash, id, nil
			}
		}
		return plumbing.ZeroHash, id, nil
	}
	meanings := map[plumbing.Hash]string{}
	var names []string
	for _, name := range known.find(ref) {
		names = append(names, name)
		want, commit = known[name], known[name]
		if peeled, ok := advertised.Peeled[name]; ok {
			commit = peeled
		}
		meanings[commit] = name
	}
	switch {
	case len(meanings) > 1:
		return want, commit, &RefError{Ref: ref, Meanings: names}
	case len(meanings) == 0 && isHex(ref):
		return plumbing.ZeroHash, plumbing.ZeroHash, nil
	case len(meanings) == 0:
		return want, commit, &RefError{Ref: ref, Known: known.known()}
	default:
		return want, commit, nil
	}
}

// download has the server send the objects and stores them.
func download(ctx context.Context, session transport.UploadPackSession, advertised *packp.AdvRefs, want plumbing.Hash, target *objectStore, limit int64) error {
	request := packp.NewUploadPackRequestFromCapabilities(advertised.Capabilities)
	if advertised.Capabilities.Supports(capability.NoProgress) {
		if err := request.Capabilities.Set(capability.NoProgress); err != nil {
			return err
		}
	}
	if want.IsZero() {
		for name, hash := range advertised.References {
			if strings.HasPrefix(name, "refs/heads/") || strings.HasPrefix(name, "refs/tags/") {
				request.Wants = append(request.Wants, hash)
			}
		}
	} else {
		request.Wants = []plumbing.Hash{want}
		if advertised.Capabilities.Supports(capability.Shallow) {
			request.Depth = packp.DepthCommits(1)
			if err := request.Capabilities.Set(capability.Shallow); err != nil {
				return err
			}
		}
	}
	return unpack(ctx, session, request, target.objects, limit)
}

// unpack has the server send what is asked for and stores it.
func unpack(ctx context.Context, session transport.UploadPackSession, request *packp.UploadPackRequest, objects storage.Storer, limit int64) error {
	response, err := session.UploadPack(ctx, request)
	if err != nil {
		return err
	}
	defer response.Close()
	if err := objects.SetShallow(response.Shallows); err != nil {
		return err
	}
	var pack io.Reader = response
	switch {
	case request.Capabilities.Supports(capability.Sideband64k):
		pack = sideband.NewDemuxer(sideband.Sideband64k, response)
	case request.Capabilities.Supports(capability.Sideband):
		pack = sideband.NewDemuxer(sideband.Sideband, response)
	}
	err = packfile.UpdateObjectStorage(objects, &limitedReader{r: pack, limit: limit})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// limitedReader fails, rather than ends, at its limit.
type limitedReader struct {
	r           io.Reader
	read, limit int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.read += int64(n); l.read > l.limit {
		return n, &LimitError{Option: "MaxFetch", Limit: l.limit, Found: l.read}
	}
	return n, err
}

// remoteError puts a transport's error into the words of this package.
func remoteError(err error) error {
	switch {
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return ErrNoRepository
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return ErrEmptyRepository
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return fmt.Errorf("%w: %w; the repository may also not exist", ErrLogin, err)
	default:
		return err
	}
}
