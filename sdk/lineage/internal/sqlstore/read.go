package sqlstore

import (
	"context"
	"database/sql"
	"iter"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// What scanImage reads.
const (
	imageFields = `d.value, i.kind, pl.value, i.config, i.chain, i.layers, i.created, ow.value, re.value, i.revision, pa.value, i.grade, no.value`
	textTables  = ` LEFT JOIN text pl ON pl.id = i.platform LEFT JOIN text ow ON ow.id = i.owner LEFT JOIN text re ON re.id = i.repository
		LEFT JOIN text pa ON pa.id = i.path LEFT JOIN text no ON no.id = i.note`
	imageJoins  = ` JOIN digest d ON d.id = i.id` + textTables
	imageTables = `image i` + imageJoins
)

// scanImage reads a row that begins with imageFields, and more of it. An image that is not known has a digest alone.
func scanImage(rows *sql.Rows, more ...any) (lineage.Image, error) {
	var (
		img                                   lineage.Image
		digest, config, chain                 []byte
		kind, layers, grade, created          *int64
		platform, owner, repo, rev, path, why *string
	)
	fields := append([]any{&digest, &kind, &platform, &config, &chain, &layers, &created, &owner, &repo, &rev, &path, &grade, &why}, more...)
	if err := rows.Scan(fields...); err != nil {
		return img, err
	}
	img.Digest, img.Config, img.Chain = decode(digest), decode(config), decode(chain)
	img.Kind, img.Layers, img.Created = kindOf(or(kind)), int(or(layers)), timeOf(created)
	img.Platform, img.Owner, img.Note = or(platform), or(owner), or(why)
	img.Definition = lineage.Definition{Repository: or(repo), Commit: or(rev), Path: or(path), Grade: lineage.Grade(or(grade))} //nolint:gosec // a grade was put in
	return img, nil
}

func or[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}

const childQuery = "SELECT c.parent, d.value, pl.value FROM child c JOIN digest d ON d.id = c.manifest LEFT JOIN text pl ON pl.id = c.platform"

// sequence makes an iterator of a function that yields and says whether to go on.
func sequence[T any](s *Store, f func(yield func(T) bool) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := false
		err := f(func(v T) bool {
			stopped = stopped || !yield(v, nil)
			return !stopped
		})
		if err != nil && !stopped {
			var zero T
			yield(zero, s.fail(err))
		}
	}
}

// Images returns what is known by digests of any kind.
func (s *Store) Images(ctx context.Context, digests []string) iter.Seq2[lineage.Image, error] {
	return sequence(s, func(yield func(lineage.Image) bool) error {
		asked := list(hexes(digests))
		lists, err := s.manifests(ctx, asked)
		if err != nil {
			return err
		}
		scan := func(rows *sql.Rows) (bool, error) {
			var id int64
			img, err := scanImage(rows, &id)
			if img.Kind == lineage.KindIndex {
				img.Manifests = lists[id]
			}
			return err == nil && yield(img), err
		}
		more, err := s.rows(ctx, scan, "SELECT "+imageFields+", i.id FROM "+imageTables+" WHERE d.value IN ("+s.dialect.Blobs+")", asked)
		if err != nil || !more {
			return err
		}
		_, err = s.rows(ctx, scan, "SELECT "+imageFields+", i.id FROM "+imageTables+" WHERE i.config IN ("+s.dialect.Blobs+")", asked)
		return err
	})
}

// manifests are what indexes list, by the index's number.
func (s *Store) manifests(ctx context.Context, asked string) (map[int64][]lineage.Child, error) {
	lists := map[int64][]lineage.Child{}
	_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
		var parent int64
		var digest []byte
		var platform *string
		err := rows.Scan(&parent, &digest, &platform)
		lists[parent] = append(lists[parent], lineage.Child{Digest: decode(digest), Platform: or(platform)})
		return true, err
	}, childQuery+" JOIN digest p ON p.id = c.parent WHERE p.value IN ("+s.dialect.Blobs+") ORDER BY c.parent, c.place", asked)
	return lists, err
}

// Unowned returns the manifests that nobody is known to answer for.
func (s *Store) Unowned(ctx context.Context) iter.Seq2[lineage.Image, error] {
	return sequence(s, func(yield func(lineage.Image) bool) error {
		_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
			img, err := scanImage(rows)
			return err == nil && yield(img), err
		}, "SELECT "+imageFields+" FROM "+imageTables+" WHERE i.owner = 0 AND i.kind = 1 ORDER BY i.id")
		return err
	})
}
