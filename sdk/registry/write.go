package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Writer writes to one repository with as few requests as the distribution specification allows: one for a blob that is
// mounted or a manifest, two for a blob that is uploaded. It asks nothing first, so it is for content that is known to be
// new or known to be somewhere in the same registry; for anything else use [Client.Push]. It is safe for concurrent use.
type Writer struct {
	client *Client
	repo   name.Repository
	http   *http.Client
}

// Writer returns a writer for a repository. Blobs can be mounted from the repositories in from, for which read access is
// asked along. A registry that wants a token is asked for it once, here.
func (c *Client) Writer(ctx context.Context, repository string, from ...string) (*Writer, error) {
	const op = "push"
	repo, err := c.parseRepository(op, repository)
	if err != nil {
		return nil, err
	}
	scopes := []string{repo.Scope(transport.PushScope)}
	for _, other := range from {
		source, err := c.parseRepository(op, other)
		if err != nil {
			return nil, err
		}
		scopes = append(scopes, source.Scope(transport.PullScope))
	}
	auth := authn.Anonymous
	if c.opts.Keychain != nil {
		if auth, err = authn.Resolve(ctx, c.opts.Keychain, repo); err != nil {
			return nil, c.fail(ctx, op, repository, repo, err)
		}
	}
	t, err := transport.NewWithContext(ctx, repo.Registry, auth, c.pings, scopes)
	if err != nil {
		return nil, c.fail(ctx, op, repository, repo, err)
	}
	return &Writer{client: c, repo: repo, http: &http.Client{Transport: t}}, nil
}

// Mount has the registry take over a blob from another of its repositories, without the blob being sent. It reports false
// where the registry wants it uploaded instead: because it does not mount, or does not have it there.
func (w *Writer) Mount(ctx context.Context, from string, digest v1.Hash) (bool, error) {
	source, err := w.client.parseRepository("push", from)
	if err != nil {
		return false, err
	}
	if source.RegistryStr() != w.repo.RegistryStr() {
		return false, nil
	}
	query := url.Values{"mount": {digest.String()}, "from": {source.RepositoryStr()}}
	resp, err := w.send(ctx, http.MethodPost, w.url("/blobs/uploads/", query), nil, "")
	if err != nil {
		return false, w.fail(ctx, err)
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusCreated, http.StatusAccepted); err != nil {
		return false, w.fail(ctx, err)
	}
	return resp.StatusCode == http.StatusCreated, nil
}

// Blob uploads a small blob, such as an image's config.
func (w *Writer) Blob(ctx context.Context, content []byte) error {
	digest, _, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return err
	}
	err = w.client.transport.retry(ctx, "upload "+digest.String(), func(int) error { return w.blob(ctx, digest, content) })
	return w.fail(ctx, err)
}

func (w *Writer) blob(ctx context.Context, digest v1.Hash, content []byte) error {
	resp, err := w.send(ctx, http.MethodPost, w.url("/blobs/uploads/", nil), nil, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusAccepted); err != nil {
		return err
	}
	location, err := resp.Location()
	if err != nil {
		return fmt.Errorf("the registry does not say where to upload to: %w", err)
	}
	query := location.Query()
	query.Set("digest", digest.String())
	location.RawQuery = query.Encode()
	resp, err = w.send(ctx, http.MethodPut, location.String(), content, "application/octet-stream")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return transport.CheckError(resp, http.StatusCreated)
}

// Manifest puts a manifest or index under a tag, or under its digest where tag is empty. All that it refers to must be
// there. The registry's answer must name the digest that the content has, if it names one.
func (w *Writer) Manifest(ctx context.Context, tag string, mediaType types.MediaType, content []byte) (name.Digest, error) {
	digest, _, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return name.Digest{}, err
	}
	under := digest.String()
	if tag != "" {
		if _, err := parseTags(w.repo, []string{tag}); err != nil {
			return name.Digest{}, &Error{Op: "tag", Ref: w.repo.String(), Kind: ErrInvalid, Err: err}
		}
		under = tag
	}
	resp, err := w.send(ctx, http.MethodPut, w.url("/manifests/"+under, nil), content, string(mediaType))
	if err != nil {
		return name.Digest{}, w.fail(ctx, err)
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusCreated, http.StatusOK, http.StatusAccepted); err != nil {
		return name.Digest{}, w.fail(ctx, err)
	}
	if said := resp.Header.Get("Docker-Content-Digest"); said != "" && said != digest.String() {
		return name.Digest{}, w.fail(ctx, fmt.Errorf("the registry says that it stored %s, sent was %s", said, digest))
	}
	return w.repo.Digest(digest.String()), nil
}

func (w *Writer) url(path string, query url.Values) string {
	u := url.URL{Scheme: w.repo.Scheme(), Host: w.repo.RegistryStr(), Path: "/v2/" + w.repo.RepositoryStr() + path, RawQuery: query.Encode()}
	return u.String()
}

func (w *Writer) send(ctx context.Context, method, target string, content []byte, contentType string) (*http.Response, error) {
	var body io.Reader
	if content != nil {
		body = bytes.NewReader(content) // NewRequest knows how to send it again
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return w.http.Do(req)
}

func (w *Writer) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	return w.client.fail(ctx, "push", w.repo.String(), w.repo, err)
}

// Layer uploads a layer, unless the repository has it. It is for blobs that could not be mounted.
func (w *Writer) Layer(ctx context.Context, layer v1.Layer) error {
	pusher, err := remote.NewPusher(w.client.remoteOptions(1)...)
	if err != nil {
		return err
	}
	meter, err := newMeter([]v1.Layer{layer}, nil)
	if err != nil {
		return err
	}
	return w.fail(ctx, w.client.upload(ctx, pusher, w.repo, layer, meter))
}
