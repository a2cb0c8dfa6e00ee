package inputs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// image is what is known of an image for a platform.
type image struct {
	catalog.ImageConfig
	// seen is the config as the conversion sees it, triggers what was replaced in it.
	seen     []byte
	triggers []trigger
}

// images asks the resolver for each image once, however many stages and platforms want it. BuildKit does so from several
// goroutines.
type images struct {
	ask func(ref, platform string) (catalog.ImageConfig, error)

	mu    sync.Mutex
	calls map[imageKey]*call
	first map[string]*call // for each reference
}

// call is a question under way or answered.
type call struct {
	key    imageKey
	number int
	// first is the call whose digest this one takes over; nil if it is the first of its reference.
	first *call

	once  sync.Once
	image *image
	err   error
}

// newImages takes the context of the whole: those that BuildKit passes end with the first error of one conversion, and
// the answer is for all of them.
func newImages(ctx context.Context, resolver Resolver) *images {
	return &images{
		ask: func(ref, platform string) (catalog.ImageConfig, error) {
			return resolver.Config(ctx, ref, platform)
		},
		calls: map[imageKey]*call{},
		first: map[string]*call{},
	}
}

// get returns an image. All platforms of one reference are of one digest, even if the tag moves meanwhile.
func (s *images) get(ref, platform string) (*image, error) {
	c := s.call(imageKey{ref, platform})
	if c.first != nil {
		c.first.once.Do(func() { c.first.answer(s) })
	}
	c.once.Do(func() { c.answer(s) })
	return c.image, c.err
}

func (s *images) call(key imageKey) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.calls[key]; c != nil {
		return c
	}
	c := &call{key: key, number: len(s.calls), first: s.first[key.ref]}
	s.calls[key] = c
	if c.first == nil {
		s.first[key.ref] = c
	}
	return c
}

func (c *call) answer(s *images) {
	ref := c.key.ref
	if c.first != nil && c.first.image != nil && !strings.Contains(ref, "@") {
		ref += "@" + c.first.image.Digest
	}
	config, err := s.ask(ref, c.key.platform)
	if err == nil && config.Digest == "" {
		err = errors.New("the resolver gave no digest for it")
	}
	img := &image{ImageConfig: config}
	if err == nil {
		img.seen, img.triggers, err = readTriggers(config.Config, fmt.Sprintf("image%d.", c.number))
	}
	if err != nil {
		c.err = &imageError{ref: c.key.ref, err: err}
		return
	}
	img.Ref = c.key.ref
	c.image = img
}

// tolerant is get for stages that are not built: an image that can't be had is one without a digest.
func (s *images) tolerant(ref, platform string) (*image, error) {
	img, err := s.get(ref, platform)
	if err == nil {
		return img, nil
	}
	var empty struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	}
	empty.OS, empty.Architecture, _ = strings.Cut(platform, "/")
	config, err := json.Marshal(empty)
	return &image{ImageConfig: catalog.ImageConfig{Ref: ref}, seen: config}, err
}

// imageError is an image that can't be had.
type imageError struct {
	ref string
	err error
}

func (e *imageError) Error() string { return e.err.Error() }
func (e *imageError) Unwrap() error { return e.err }
