package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ErrLost says that a registry accepted a referrer and does not list it.
var ErrLost = errors.New("accepted, and not listed afterwards")

// maxReferrers limits what refers to one digest.
const maxReferrers = 10_000

// Referrers lists what refers to a digest ("repository@sha256:..."): signatures, attestations, package lists. It asks the
// referrers API of the OCI distribution specification 1.1, all pages, and where the registry has none it reads the index
// that the specification keeps under the tag sha256-<hex> instead. No list at all is an empty one.
//
// The list is the registry's word: who needs to know reads an artifact and compares its subject. What a registry says of
// types is often wrong, too: compare [Artifact.Type].
func (c *Client) Referrers(ctx context.Context, ref string) ([]v1.Descriptor, error) {
	digest, err := c.parseDigest("referrers", ref)
	if err != nil {
		return nil, err
	}
	list, _, err := c.referrers(ctx, digest)
	return list, err
}

func (c *Client) parseDigest(op, ref string) (name.Digest, error) {
	r, err := c.parse(op, ref)
	if err != nil {
		return name.Digest{}, err
	}
	digest, ok := r.(name.Digest)
	if !ok {
		return name.Digest{}, &Error{Op: op, Ref: ref, Kind: ErrInvalid, Err: errors.New("it has no digest: resolve it first")}
	}
	return digest, nil
}

// referrers also says whether the registry has the API.
func (c *Client) referrers(ctx context.Context, subject name.Digest) (list []v1.Descriptor, api bool, err error) {
	err = c.read(ctx, "referrers", subject.Name(), subject.Context(), func(p *remote.Puller) error {
		list, api, err = c.askReferrers(ctx, subject)
		if err == nil && !api {
			list, err = fallback(ctx, p, subject)
		}
		return err
	})
	return list, api, err
}

// askReferrers asks the API. A registry that does not have it says so with 404, and some with 400, 405, 406 or a page.
func (c *Client) askReferrers(ctx context.Context, subject name.Digest) (list []v1.Descriptor, api bool, err error) {
	client, err := c.reader(ctx, subject.Context())
	if err != nil {
		return nil, false, err
	}
	repo := subject.Context()
	next := &url.URL{
		Scheme: repo.Scheme(), Host: repo.RegistryStr(),
		Path: fmt.Sprintf("/v2/%s/referrers/%s", repo.RepositoryStr(), subject.DigestStr()),
	}
	for next != nil {
		var page []v1.Descriptor
		page, next, err = c.referrersPage(ctx, client, next)
		if err != nil || page == nil {
			return nil, false, err
		}
		if list = append(list, page...); len(list) > maxReferrers {
			return nil, true, fmt.Errorf("more than %d referrers", maxReferrers)
		}
	}
	return list, true, nil
}

// referrersPage returns one page and where the next one is. A nil page says that there is no API.
func (c *Client) referrersPage(ctx context.Context, client *http.Client, at *url.URL) ([]v1.Descriptor, *url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", string(types.OCIImageIndex))
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable:
		return nil, nil, nil
	default:
		return nil, nil, transport.CheckError(resp, http.StatusOK)
	}
	if kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";"); types.MediaType(kind) != types.OCIImageIndex {
		return nil, nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.opts.MaxManifestBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(body)) > c.opts.MaxManifestBytes {
		return nil, nil, &tooLargeError{limit: c.opts.MaxManifestBytes}
	}
	index := v1.IndexManifest{}
	if err := json.Unmarshal(body, &index); err != nil {
		return nil, nil, fmt.Errorf("list of referrers: %w", err)
	}
	if index.Manifests == nil {
		index.Manifests = []v1.Descriptor{}
	}
	return index.Manifests, nextPage(resp, at), nil
}

// nextPage reads the Link header (RFC 8288). A page elsewhere than on the registry is none.
func nextPage(resp *http.Response, at *url.URL) *url.URL {
	link, ok := strings.CutPrefix(resp.Header.Get("Link"), "<")
	target, rel, found := strings.Cut(link, ">")
	if !ok || !found || !strings.Contains(rel, "next") {
		return nil
	}
	next, err := at.Parse(target)
	if err != nil || next.Host != at.Host || next.Scheme != at.Scheme || next.String() == at.String() {
		return nil
	}
	return next
}

// reader is a client that may read from a repository. It is kept: to make one may take a token.
func (c *Client) reader(ctx context.Context, repo name.Repository) (*http.Client, error) {
	if known, ok := c.readers.Load(repo.Name()); ok {
		return known.(*http.Client), nil
	}
	keychain := c.opts.Keychain
	if keychain == nil {
		keychain = authn.NewMultiKeychain()
	}
	auth, err := authn.Resolve(ctx, keychain, repo)
	if err != nil {
		return nil, err
	}
	rt, err := transport.NewWithContext(ctx, repo.Registry, auth, c.pings, []string{repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: rt}
	c.readers.Store(repo.Name(), client)
	return client, nil
}

// fallbackTag is where the specification keeps the referrers of a digest for registries without the API
// (distribution-spec 1.1, "Referrers Tag Schema").
func fallbackTag(subject name.Digest) name.Tag {
	return subject.Context().Tag(strings.Replace(subject.DigestStr(), ":", "-", 1))
}

// fallback reads the list from the tag. GitLab answers for such a tag with the subject itself, whose children are no
// referrers.
func fallback(ctx context.Context, p *remote.Puller, subject name.Digest) ([]v1.Descriptor, error) {
	desc, err := p.Get(ctx, fallbackTag(subject))
	var terr *transport.Error
	switch {
	case errors.As(err, &terr) && terr.StatusCode == http.StatusNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case desc.Digest.String() == subject.DigestStr() || desc.MediaType != types.OCIImageIndex:
		return nil, nil
	}
	index := v1.IndexManifest{}
	if err := json.Unmarshal(desc.Manifest, &index); err != nil {
		return nil, fmt.Errorf("list of referrers: %w", err)
	}
	return index.Manifests, nil
}

// Where a list is kept under a tag, nothing keeps two writers from overwriting each other's: each reads the list, adds
// to it and writes it. So a writer looks again, at once and after the others have had the time to write what they had
// read before, and adds its own again when it is gone.
const (
	listAttempts = 12
	listSettle   = 250 * time.Millisecond
)

// list sees to it that a referrer, which is in the registry already, is listed.
func (c *Client) list(ctx context.Context, pusher *remote.Pusher, subject name.Digest, referrer v1.Descriptor) error {
	listed := func(list []v1.Descriptor) bool {
		return slices.ContainsFunc(list, func(d v1.Descriptor) bool { return d.Digest == referrer.Digest })
	}
	settled := 0
attempts:
	for attempt := range listAttempts {
		list, api, err := c.referrers(ctx, subject)
		switch {
		case err != nil:
			return err
		case listed(list) && (api || settled > 0):
			return nil
		case listed(list):
			settled++
		case !api:
			settled = 0
			if err := pusher.Put(ctx, fallbackTag(subject), referrersIndex(append(list, referrer))); err != nil {
				return c.fail(ctx, "referrers", subject.Name(), subject.Context(), err)
			}
			continue // look at once
		}
		wait := listSettle
		if api { // it takes a moment to list what it has
			if wait = 50 * time.Millisecond << attempt; wait > 2*time.Second {
				break attempts
			}
		}
		select {
		case <-ctx.Done():
			return c.fail(ctx, "referrers", subject.Name(), subject.Context(), ctx.Err())
		case <-time.After(wait + rand.N(wait/2)): //nolint:gosec // not a secret
		}
	}
	return &Error{
		Op: "referrers", Ref: subject.Name(), Kind: ErrLost, Err: fmt.Errorf("%s was pushed", referrer.Digest),
		Help: "whoever looks for it will not find it: push it again",
	}
}

// referrersIndex is the list as it is kept under the tag.
func referrersIndex(list []v1.Descriptor) *artifactManifest {
	raw, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: list})
	if err != nil {
		panic(err) // descriptors always marshal
	}
	return &artifactManifest{raw: raw, mediaType: types.OCIImageIndex}
}
