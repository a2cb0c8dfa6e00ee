package distribution

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Dir is a remote in a directory.
func Dir(path string) Remote { return dir(path) }

type dir string

func (d dir) Get(_ context.Context, name string, limit int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(string(d), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit, f.Name())
}

func (d dir) Put(_ context.Context, name string, data []byte) error {
	return WriteFile(filepath.Join(string(d), name), data, 0o644)
}

// HTTP is a remote below a URL, which any web server can be. It is read only. The client's time limit is that of a whole
// download.
func HTTP(client *http.Client, base string) (Remote, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%.200q is not an http(s) URL", base)
	}
	return &web{client: client, base: u}, nil
}

type web struct {
	client *http.Client
	base   *url.URL
}

func (w *web) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	u := w.base.JoinPath(name)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err // has method and URL, its password left out
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return readAll(resp.Body, limit, u.Redacted())
	case http.StatusNotFound, http.StatusGone:
		return nil, fmt.Errorf("GET %s: %w", u.Redacted(), ErrNotFound)
	}
	return nil, fmt.Errorf("GET %s: %s", u.Redacted(), resp.Status)
}

func (w *web) Put(context.Context, string, []byte) error {
	return fmt.Errorf("%s is read only: publish into the directory that it serves", w.base.Redacted())
}

// Artifacts is what [Registry] needs of a registry; *registry.Client has it.
type Artifacts interface {
	Artifact(ctx context.Context, ref string, limit int64) (*registry.Artifact, error)
	PushArtifact(ctx context.Context, repository string, a registry.Artifact, opts registry.PushOptions) (name.Digest, error)
}

// Registry is a remote in a repository of a registry: each file is an OCI artifact with a tag of its name.
func Registry(client Artifacts, repository string) Remote { return &oci{client, repository} }

type oci struct {
	client     Artifacts
	repository string
}

func (o *oci) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	ref := o.repository + ":" + name
	a, err := o.client.Artifact(ctx, ref, limit)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	if want := mediaType(name); a.Type != want || len(a.Blobs) != 1 {
		return nil, fmt.Errorf("%s is a %.100q with %d blobs, wanted is a %s", ref, a.Type, len(a.Blobs), want)
	}
	return a.Blobs[0].Data, nil
}

func (o *oci) Put(ctx context.Context, name string, data []byte) error {
	kind := mediaType(name)
	_, err := o.client.PushArtifact(ctx, o.repository, registry.Artifact{
		Type:  kind,
		Blobs: []registry.Blob{{MediaType: kind, Data: data, Embed: true}},
	}, registry.PushOptions{Tags: []string{name}})
	return err
}

// latestType is the media type of "latest" in a registry.
const latestType = "application/vnd.plimsoll.deny-latest.v1+json"

func mediaType(name string) string {
	switch {
	case name == latestName:
		return latestType
	case strings.Contains(name, "-"):
		return bundle.DeltaMediaType
	}
	return bundle.MediaType
}

func readAll(r io.Reader, limit int64, from string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", from, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than the %d bytes that it should have", from, limit)
	}
	return data, nil
}

// WriteFile writes a file so that after a crash there is the old one or the new one, and never a part: beside it first,
// flushed, then renamed, and the directory flushed.
func WriteFile(path string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil // it is written; only a crash of the machine could undo it
	}
	defer d.Close()
	_ = d.Sync() // some file systems can't
	return nil
}
