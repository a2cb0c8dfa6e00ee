package sqlstore

import (
	"context"
	"database/sql"
	"reflect"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

const (
	imageColumns = "image (id, kind, platform, config, chain, below, layers, created, owner, repository, revision, path, grade, note)"
	imageUpdate  = `ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, platform = excluded.platform, config = excluded.config,
		chain = excluded.chain, below = excluded.below, layers = excluded.layers, created = excluded.created, owner = excluded.owner,
		repository = excluded.repository, revision = excluded.revision, path = excluded.path, grade = excluded.grade, note = excluded.note`
)

// images writes images that are new or say something new, with what is below them.
func (w *writer) images(ctx context.Context, b *lineage.Batch) error {
	changed, below, err := w.changes(ctx, b.Images)
	if err != nil {
		return err
	}
	if err := w.layers(ctx, changed, below); err != nil {
		return err
	}
	var rows, children [][]any
	for _, img := range changed {
		id := w.digests[img.Digest]
		rows = append(rows, []any{
			id, kindCode(img.Kind), w.text(img.Platform), encode(img.Config), encode(img.Chain), below[img.Digest].packed(), int64(img.Layers),
			micro(img.Created), w.text(img.Owner), w.text(img.Definition.Repository), img.Definition.Commit, w.text(img.Definition.Path),
			int64(img.Definition.Grade), w.text(img.Note),
		})
		for n, child := range img.Manifests {
			children = append(children, []any{w.digests[child.Digest], id, w.text(child.Platform), int64(n)})
		}
	}
	if err := w.insert(ctx, imageColumns, rows, imageUpdate); err != nil {
		return err
	}
	return w.insert(ctx, "child (manifest, parent, platform, place)", children, "ON CONFLICT DO NOTHING")
}

// changes are the images that are to be written, each once and complete, and what is kept of the layers below those that
// are known.
func (w *writer) changes(ctx context.Context, images []lineage.Image) ([]lineage.Image, map[string]links, error) {
	old, below, err := w.known(ctx, images)
	if err != nil {
		return nil, nil, err
	}
	var changed []lineage.Image
	place := map[string]int{} // in changed
	for _, img := range images {
		before := old[img.Digest]
		at, twice := place[img.Digest]
		if twice {
			before = changed[at]
		}
		img.Merge(before)
		if img.Chain == old[img.Digest].Chain {
			img.Below = nil // it is kept
		}
		switch {
		case twice:
			changed[at] = img
		case !reflect.DeepEqual(img, before):
			place[img.Digest] = len(changed)
			changed = append(changed, img)
		}
	}
	return changed, below, nil
}

// known are those of the images that the store has, but what an index lists, and what is kept of the layers below.
func (w *writer) known(ctx context.Context, images []lineage.Image) (map[string]lineage.Image, map[string]links, error) {
	found, below := map[string]lineage.Image{}, map[string]links{}
	var ids []int64
	for _, img := range images {
		if !w.fresh[img.Digest] {
			ids = append(ids, w.digests[img.Digest])
		}
	}
	if len(ids) == 0 {
		return found, below, nil
	}
	err := w.query(ctx, func(rows *sql.Rows) error {
		var kept []byte
		img, err := scanImage(rows, &kept)
		found[img.Digest], below[img.Digest] = img, unpacked(kept)
		return err
	}, "SELECT "+imageFields+", i.below FROM "+imageTables+" WHERE i.id IN ("+w.dialect.Ints+")", list(ids))
	return found, below, err
}

func kindCode(k lineage.Kind) int64 {
	if k == lineage.KindIndex {
		return 2
	}
	return 1
}

func kindOf(code int64) lineage.Kind {
	switch code {
	case 1:
		return lineage.KindManifest
	case 2:
		return lineage.KindIndex
	}
	return lineage.KindUnknown
}
