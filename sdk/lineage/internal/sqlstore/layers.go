package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// links are the layers below an image that are kept, from the bottom up: those from the nearest image that is known on.
// What is further down is below that image.
//
// So the table layer has, for each image, its own chain (own = 1), and those below at which it may meet its base
// (own = 0). It is the same whatever came first: when an image appears below others, they forget what is further down.
type links []link

func (l links) packed() []byte {
	var b []byte
	for _, one := range l {
		b = append(b, one[:]...)
	}
	return b
}

func unpacked(b []byte) links {
	var l links
	for c := range slices.Chunk(b, len(link{})) {
		l = append(l, link(c))
	}
	return l
}

// layers writes the layers of images that have new ones, and puts what is kept of them into below.
func (w *writer) layers(ctx context.Context, images []lineage.Image, below map[string]links) error {
	own := map[link]bool{} // the chains of the batch, and then all others that images are known to have
	var asked []string
	for _, img := range images {
		if img.Chain != "" && below[img.Digest] == nil {
			own[linkOf(img.Chain)] = true
			for _, chain := range img.Below {
				asked = append(asked, linkOf(chain).hex())
			}
		}
	}
	if len(own) == 0 {
		return nil
	}
	if err := w.move(ctx, own, below); err != nil {
		return err
	}
	slices.Sort(asked)
	err := w.query(ctx, func(rows *sql.Rows) error {
		var chain []byte
		err := rows.Scan(&chain)
		own[link(chain)] = true
		return err
	}, "SELECT DISTINCT chain FROM layer WHERE own = 1 AND chain IN ("+w.dialect.Blobs+")", list(slices.Compact(asked)))
	if err != nil {
		return err
	}
	var rows [][]any
	for _, img := range images {
		if img.Chain == "" || below[img.Digest] != nil {
			continue
		}
		id, kept := w.digests[img.Digest], links{}
		for _, chain := range slices.Backward(img.Below) {
			l := linkOf(chain)
			kept = append(kept, l)
			rows = append(rows, []any{l[:], 0, id})
			if own[l] {
				break
			}
		}
		slices.Reverse(kept)
		l := linkOf(img.Chain)
		rows = append(rows, []any{l[:], 1, id})
		below[img.Digest] = kept
	}
	return w.insert(ctx, "layer (chain, own, image)", rows, "ON CONFLICT DO NOTHING")
}

// move brings images that are known under the new ones: what they kept of the layers further down is forgotten.
func (w *writer) move(ctx context.Context, own map[link]bool, below map[string]links) error {
	type above struct {
		id     int64
		digest string
		kept   links
	}
	var moved []above
	err := w.query(ctx, func(rows *sql.Rows) error {
		var a above
		var hash, kept []byte
		err := rows.Scan(&a.id, &hash, &kept)
		a.digest, a.kept = decode(hash), unpacked(kept)
		moved = append(moved, a)
		return err
	}, `SELECT DISTINCT i.id, d.value, i.below FROM layer l JOIN image i ON i.id = l.image JOIN digest d ON d.id = i.id
		WHERE l.own = 0 AND l.chain IN (`+w.dialect.Blobs+")", list(linkHexes(own)))
	if err != nil {
		return err
	}
	for _, a := range moved {
		nearest := 0
		for n, l := range a.kept {
			if own[l] {
				nearest = n
			}
		}
		if nearest == 0 {
			continue
		}
		gone := map[link]bool{}
		for _, l := range a.kept[:nearest] {
			gone[l] = true
		}
		below[a.digest] = a.kept[nearest:]
		err := w.exec(ctx, "DELETE FROM layer WHERE image = $2 AND own = 0 AND chain IN ("+w.dialect.Blobs+")", list(linkHexes(gone)), a.id)
		if err != nil {
			return err
		}
		if err := w.exec(ctx, "UPDATE image SET below = $1 WHERE id = $2", below[a.digest].packed(), a.id); err != nil {
			return err
		}
	}
	return nil
}

// linkHexes are the hex digits of links, for a list parameter.
func linkHexes(links map[link]bool) []string {
	out := make([]string, 0, len(links))
	for l := range links {
		out = append(out, hex.EncodeToString(l[:]))
	}
	slices.Sort(out)
	return out
}
