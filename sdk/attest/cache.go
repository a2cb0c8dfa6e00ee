package attest

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Cached remembers what a source says, so that asking again about the same digest costs no request. Verify still checks
// every signature, and the times, on each call. It is safe for concurrent use, and keeps the newest 1,000 images.
//
// What an image consists of is remembered for good, since it can't change. What was said about it is asked again after ttl:
// a verdict that forbids the image is noticed no later than that. A reference without a digest is asked each time.
func Cached(source Source, ttl time.Duration, now func() time.Time) Source {
	return &cache{source: source, ttl: ttl, now: now, entries: map[string]*entry{}}
}

const maxCached = 1000

type cache struct {
	source Source
	ttl    time.Duration
	now    func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
	order   []string // oldest first
}

// entry is what is known of one image, by its reference with digest.
type entry struct {
	image   *Image
	bundles map[string]answer // by predicate types
}

type answer struct {
	bundles []*Bundle
	asked   time.Time
}

func (c *cache) Image(ctx context.Context, ref string) (*Image, error) {
	if strings.Contains(ref, "@") {
		if image, ok := c.image(ref); ok {
			return image, nil
		}
	}
	image, err := c.source.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remember(image.Reference(), image)
	if strings.Contains(ref, "@") { // however it was written
		c.remember(ref, image)
	}
	return image, nil
}

func (c *cache) image(ref string) (*Image, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[ref]
	if !ok {
		return nil, false
	}
	return e.image, true
}

// remember returns the entry of an image. The caller holds the lock.
func (c *cache) remember(key string, image *Image) *entry {
	e, ok := c.entries[key]
	if !ok {
		e = &entry{image: image, bundles: map[string]answer{}}
		c.entries[key] = e
		c.order = append(c.order, key)
		if len(c.order) > maxCached {
			delete(c.entries, c.order[0])
			c.order = c.order[1:]
		}
	}
	return e
}

func (c *cache) Bundles(ctx context.Context, image *Image, predicateTypes []string) ([]*Bundle, error) {
	key := strings.Join(predicateTypes, " ")
	c.mu.Lock()
	known, ok := c.remember(image.Reference(), image).bundles[key]
	c.mu.Unlock()
	asked := c.now()
	if ok && asked.Sub(known.asked) < c.ttl {
		return known.bundles, nil
	}
	bundles, err := c.source.Bundles(ctx, image, predicateTypes)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remember(image.Reference(), image).bundles[key] = answer{bundles: bundles, asked: asked}
	return bundles, nil
}
