package scan

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// exact is a tag that names one version or one commit, by the custom of those who write tags.
var exact = regexp.MustCompile(`^v?\d+\.\d+\.\d+([.+-].*)?$|(^|-)[0-9a-f]{7,64}$|^sha256-[0-9a-f]{64}|\d{8}`)

// repository scans one repository. An error stops the whole scan.
func (r *run) repository(ctx context.Context, repository string) error {
	defer r.tell()
	var tags []string
	err := r.ask(ctx, func() (err error) {
		tags, err = r.Registry.Tags(ctx, repository)
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		r.problem(repository, err)
		return nil
	}
	known, err := r.known(ctx, repository)
	if err != nil {
		return err
	}
	began := r.opts.Now()
	all := !r.recent(repository, began) // ask what every tag points to
	seen := &sync.Map{}                 // digests that were read in this repository
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(r.opts.Connections)
	for _, tag := range tags {
		before := known[tag]
		delete(known, tag)
		r.progress.tags.Add(1)
		if before.digest != "" && (before.fresh || !all) && exact.MatchString(tag) {
			continue
		}
		group.Go(func() error { return r.tag(inner, repository, tag, before.digest, seen) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var b lineage.Batch
	for tag := range known { // gone
		b.Tags = append(b.Tags, lineage.Tag{Repository: repository, Name: tag, Since: began})
	}
	if all && r.whole(repository) {
		b.Marks = map[string]string{marks + repository: began.UTC().Format(time.RFC3339)}
	}
	r.progress.repositories.Add(1)
	if len(b.Tags)+len(b.Marks) == 0 {
		return nil
	}
	return r.writer.put(b)
}

// pointer is what a tag is known to point to; fresh, if a scan that was stopped has asked so just before.
type pointer struct {
	digest string
	fresh  bool
}

func (r *run) known(ctx context.Context, repository string) (map[string]pointer, error) {
	_, finished := r.checked[marks+repository]
	known := map[string]pointer{}
	for t, err := range r.Store.Tags(ctx, lineage.TagFilter{Repository: repository, Current: true}) {
		if err != nil {
			return nil, err
		}
		known[t.Name] = pointer{t.Digest, !finished && r.opts.Recheck > 0 && r.opts.Now().Sub(t.Since) < r.opts.Recheck}
	}
	return known, nil
}

// recent says whether what all tags point to was asked a short time ago.
func (r *run) recent(repository string, now time.Time) bool {
	last, err := time.Parse(time.RFC3339, r.checked[marks+repository])
	return err == nil && r.opts.Recheck > 0 && now.Sub(last) < r.opts.Recheck
}

// tag looks where a tag points, and reads what is new.
func (r *run) tag(ctx context.Context, repository, tag, before string, seen *sync.Map) error {
	ref := repository + ":" + tag
	if before != "" {
		var now v1.Descriptor
		err := r.ask(ctx, func() (err error) {
			now, err = r.Registry.Head(ctx, ref)
			return err
		})
		if err != nil || now.Digest.String() == before {
			return r.stops(ctx, ref, err)
		}
		ref = repository + "@" + now.Digest.String()
	}
	digest, b, err := r.read(ctx, repository, ref, seen)
	if err != nil && !errors.Is(err, errNoImage) { // of something else it is enough to know it again
		return r.stops(ctx, ref, err)
	}
	b.Tags = append(b.Tags, lineage.Tag{Repository: repository, Name: tag, Digest: digest, Since: r.opts.Now()})
	return r.writer.put(b)
}

// stops keeps an error as a problem, unless the scan was stopped.
func (r *run) stops(ctx context.Context, ref string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.problem(ref, err)
	return nil
}

// every tells about progress once in a while.
const every = 50

func (r *run) counted(n *atomic.Int64) {
	if n.Add(1)%every == 0 {
		r.tell()
	}
}
