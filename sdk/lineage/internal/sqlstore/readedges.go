package sqlstore

import (
	"context"
	"database/sql"
	"iter"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// What scanEdge reads.
const (
	edgeFields = imageFields + ", b.value, e.role, e.grade, na.value, e.source, e.at"
	edgeTables = "edge e " + edgeJoins
	edgeJoins  = `JOIN digest d ON d.id = e.image LEFT JOIN digest b ON b.id = e.base LEFT JOIN text na ON na.id = e.name
		LEFT JOIN image i ON i.id = e.image` + textTables
)

func scanEdge(rows *sql.Rows) (e lineage.Edge, err error) {
	var base []byte
	var name *string
	var role string
	var grade int64
	var at *int64
	e.Image, err = scanImage(rows, &base, &role, &grade, &name, &e.Source, &at)
	e.Base, e.Name, e.Time = decode(base), or(name), timeOf(at)
	e.Role, e.Grade = lineage.Role(role), lineage.Grade(grade) //nolint:gosec // a grade was put in
	return e, err
}

// On returns what stands directly on the bases.
func (s *Store) On(ctx context.Context, bases []lineage.Image) iter.Seq2[lineage.Edge, error] {
	return sequence(s, func(yield func(lineage.Edge) bool) error {
		scan := func(rows *sql.Rows) (bool, error) {
			e, err := scanEdge(rows)
			return err == nil && yield(e), err
		}
		ids, err := s.numbers(ctx, bases)
		if err != nil {
			return err
		}
		more, err := s.rows(ctx, scan, "SELECT "+edgeFields+" FROM "+edgeTables+" WHERE e.base IN ("+s.dialect.Ints+")", ids)
		if err != nil || !more {
			return err
		}
		more, err = s.rows(ctx, scan, "SELECT "+edgeFields+" FROM child c JOIN edge e ON e.base = c.parent "+edgeJoins+" WHERE c.manifest IN ("+s.dialect.Ints+`)
			AND (c.platform = 0 OR coalesce(i.platform, 0) = 0 OR c.platform = i.platform)`, ids)
		if err != nil || !more {
			return err
		}
		return s.onLayers(ctx, bases, yield)
	})
}

// numbers are those of the digests and configs of images, as a list parameter.
func (s *Store) numbers(ctx context.Context, images []lineage.Image) (string, error) {
	var digests []string
	for _, img := range images {
		digests = append(digests, img.Digest)
		if img.Config != "" {
			digests = append(digests, img.Config)
		}
	}
	var ids []int64
	_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return true, err
	}, "SELECT id FROM digest WHERE value IN ("+s.dialect.Blobs+")", list(hexes(digests)))
	return list(ids), err
}

// onLayers yields the edges that layers say.
func (s *Store) onLayers(ctx context.Context, bases []lineage.Image, yield func(lineage.Edge) bool) error {
	asked := map[link]lineage.Image{}
	chains := map[link]bool{}
	for _, b := range bases {
		if b.Chain == "" {
			continue
		}
		if l := linkOf(b.Chain); !chains[l] {
			asked[l], chains[l] = b, true
		}
	}
	if len(chains) == 0 {
		return nil
	}
	_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
		var own int64
		var chain []byte
		img, err := scanImage(rows, &own, &chain)
		if err != nil {
			return false, err
		}
		base := asked[link(chain)]
		switch {
		case own == 0:
			return yield(lineage.LayerEdge(img, base.Digest, base.Layers)), nil
		case img.Digest != base.Digest:
			return yield(lineage.TwinEdge(img, base.Digest)), nil
		}
		return true, nil
	}, "SELECT "+imageFields+", l.own, l.chain FROM layer l JOIN image i ON i.id = l.image "+imageJoins+" WHERE l.chain IN ("+s.dialect.Blobs+")", list(linkHexes(chains)))
	return err
}

// Under returns what the images stand on directly.
func (s *Store) Under(ctx context.Context, images []lineage.Image) iter.Seq2[lineage.Edge, error] {
	return sequence(s, func(yield func(lineage.Edge) bool) error {
		bare := make([]lineage.Image, 0, len(images))
		for _, img := range images {
			bare = append(bare, lineage.Image{Digest: img.Digest})
		}
		ids, err := s.numbers(ctx, bare)
		if err != nil {
			return err
		}
		more, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
			e, err := scanEdge(rows)
			return err == nil && yield(e), err
		}, "SELECT "+edgeFields+" FROM "+edgeTables+" WHERE e.image IN ("+s.dialect.Ints+")", ids)
		if err != nil || !more {
			return err
		}
		return s.underLayers(ctx, ids, yield)
	})
}

// underLayers yields the edges that layers say, of images by their numbers.
func (s *Store) underLayers(ctx context.Context, ids string, yield func(lineage.Edge) bool) error {
	type above struct {
		image lineage.Image
		own   link
		below links
	}
	var images []above
	chains := map[link]bool{}
	_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
		var below []byte
		img, err := scanImage(rows, &below)
		if err != nil || img.Chain == "" {
			return true, err
		}
		a := above{img, linkOf(img.Chain), unpacked(below)}
		images = append(images, a)
		chains[a.own] = true
		for _, l := range a.below {
			chains[l] = true
		}
		return true, nil
	}, "SELECT "+imageFields+", i.below FROM "+imageTables+" WHERE i.id IN ("+s.dialect.Ints+")", ids)
	if err != nil || len(chains) == 0 {
		return err
	}
	owners, err := s.owners(ctx, chains)
	if err != nil {
		return err
	}
	for _, a := range images {
		for _, twin := range owners[a.own] {
			if twin.Digest != a.image.Digest && !yield(lineage.TwinEdge(a.image, twin.Digest)) {
				return nil
			}
		}
		for _, v := range slices.Backward(a.below) {
			for _, base := range owners[v] {
				if !yield(lineage.LayerEdge(a.image, base.Digest, base.Layers)) {
					return nil
				}
			}
			if len(owners[v]) > 0 {
				break
			}
		}
	}
	return nil
}

// owners are the images that have chains as their own.
func (s *Store) owners(ctx context.Context, chains map[link]bool) (map[link][]lineage.Image, error) {
	found := map[link][]lineage.Image{}
	_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
		var chain, digest []byte
		var layers int64
		err := rows.Scan(&chain, &digest, &layers)
		if err == nil {
			found[link(chain)] = append(found[link(chain)], lineage.Image{Digest: decode(digest), Layers: int(layers)})
		}
		return true, err
	}, `SELECT l.chain, d.value, i.layers FROM layer l JOIN image i ON i.id = l.image JOIN digest d ON d.id = i.id
		WHERE l.own = 1 AND l.chain IN (`+s.dialect.Blobs+")", list(linkHexes(chains)))
	return found, err
}

// Named returns the edges whose evidence names a base of a repository.
func (s *Store) Named(ctx context.Context, repository string) iter.Seq2[lineage.Edge, error] {
	return sequence(s, func(yield func(lineage.Edge) bool) error {
		_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
			e, err := scanEdge(rows)
			return err == nil && yield(e), err
		}, "SELECT "+edgeFields+" FROM "+edgeTables+" WHERE e.repository IN (SELECT id FROM text WHERE value = $1)", repository)
		return err
	})
}
