package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/client"
)

// images are those that the runtime put into the daemon, each once.
type images struct {
	runtime *Runtime

	mu    sync.Mutex
	byKey map[string]*loading
	tags  []string
}

// loading is an image that is in the daemon or on its way.
type loading struct {
	turn chan struct{} // holds a token while nobody makes it
	id   string        // the daemon's, set when it is there
}

// once returns the image of a key, which it makes unless an earlier call has. It is made once at a time.
func (s *images) once(ctx context.Context, key string, create func() (string, error)) (string, error) {
	s.mu.Lock()
	l := s.byKey[key]
	if l == nil {
		l = &loading{turn: make(chan struct{}, 1)}
		l.turn <- struct{}{}
		s.byKey[key] = l
	}
	s.mu.Unlock()
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if l.id != "" {
		return l.id, nil
	}
	var err error
	l.id, err = create()
	return l.id, err
}

// load puts an image into the daemon, unless an earlier call has, and returns the daemon's id of it.
func (s *images) load(ctx context.Context, image v1.Image) (string, *v1.ConfigFile, error) {
	digest, err := image.Digest()
	if err != nil {
		return "", nil, fmt.Errorf("the image's digest: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return "", nil, fmt.Errorf("image %s: the config: %w", digest, err)
	}
	id, err := s.once(ctx, digest.String(), func() (string, error) { return s.put(ctx, image, config, digest) })
	if err != nil {
		return "", nil, fmt.Errorf("image %s: %w", digest, err)
	}
	return id, config, nil
}

// put loads the image, or tags it if the daemon has it already, and returns the daemon's id of it.
func (s *images) put(ctx context.Context, image v1.Image, config *v1.ConfigFile, digest v1.Hash) (string, error) {
	if len(config.Config.Volumes) > 0 || config.Config.Healthcheck != nil {
		// The daemon would make the volumes: writable, on its disk, without a limit. And run the check beside the test.
		stripped := *config.Config.DeepCopy()
		stripped.Volumes, stripped.Healthcheck = nil, nil
		var err error
		if image, err = mutate.Config(image, stripped); err != nil {
			return "", err
		}
	}
	id, err := image.ConfigName()
	if err != nil {
		return "", err
	}
	tag, err := s.newTag(digest.Hex[:12])
	if err != nil {
		return "", err
	}
	c := s.runtime.client
	// An image that has no name is only used: with our tag, it would be removed.
	if has, err := c.ImageInspect(ctx, id.String()); err == nil && len(has.RepoTags)+len(has.RepoDigests) == 0 {
		return has.ID, nil
	} else if err == nil {
		if _, err := c.ImageTag(ctx, client.ImageTagOptions{Source: has.ID, Target: tag.String()}); err == nil {
			return has.ID, nil
		}
	} else if !errdefs.IsNotFound(err) {
		return "", err
	}
	if err := s.send(ctx, tag, image); err != nil {
		return "", err
	}
	loaded, err := c.ImageInspect(ctx, tag.String())
	if err != nil {
		return "", fmt.Errorf("the daemon does not have it after it was loaded: %w", err)
	}
	return loaded.ID, nil
}

// newTag notes a tag before it is used, so that it is removed in any case.
func (s *images) newTag(suffix string) (name.Tag, error) {
	tag, err := name.NewTag(repository + ":" + s.runtime.owner.mark(lease) + "-" + suffix)
	if err != nil {
		return tag, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tags = append(s.tags, tag.String())
	return tag, nil
}

// send streams the image as an archive.
func (s *images) send(ctx context.Context, tag name.Tag, image v1.Image) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := tarball.Write(tag, counted{image, s.budget()}, w)
		_ = w.CloseWithError(err)
		written <- err
	}()
	answer, err := s.runtime.client.ImageLoad(ctx, r, client.ImageLoadWithQuiet(true))
	if err == nil {
		err = readAnswer(answer)
		_ = answer.Close()
	}
	_ = r.Close()
	switch werr := <-written; {
	case werr != nil && !errors.Is(werr, io.ErrClosedPipe):
		return werr // it is why the daemon got no further
	case err != nil:
		return fmt.Errorf("load it into the daemon: %w", err)
	default:
		return werr
	}
}

func (s *images) budget() *budget {
	return &budget{bytes: s.runtime.options.MaxBytes, entries: s.runtime.options.MaxEntries}
}

// readAnswer looks for an error in the messages of a load.
func readAnswer(r io.Reader) error {
	d := json.NewDecoder(io.LimitReader(r, 1<<20))
	for {
		var message struct{ Error string }
		switch err := d.Decode(&message); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case message.Error != "":
			return errors.New(message.Error)
		}
	}
}

// remove takes back every tag; the daemon removes what then has none.
func (s *images) remove(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, tag := range s.tags {
		_, err := s.runtime.client.ImageRemove(ctx, tag, client.ImageRemoveOptions{Force: true, PruneChildren: true})
		if err != nil && !errdefs.IsNotFound(err) {
			all = append(all, fmt.Errorf("docker sandbox: remove image %s: %w", tag, err))
		}
	}
	if len(all) == 0 {
		s.tags, s.byKey = nil, map[string]*loading{}
	}
	return errors.Join(all...)
}
