package sqlstore

import (
	"context"
	"database/sql"
	"iter"
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Tags returns tags, past ones too.
func (s *Store) Tags(ctx context.Context, which lineage.TagFilter) iter.Seq2[lineage.Tag, error] {
	return sequence(s, func(yield func(lineage.Tag) bool) error {
		query := `SELECT r.value, t.name, d.value, t.since, t.until FROM tag t JOIN text r ON r.id = t.repository JOIN digest d ON d.id = t.digest`
		var where []string
		var args []any
		if len(which.Digests) > 0 { // the first parameter, as the dialect's lists have it
			blobs := s.dialect.Blobs
			where = append(where, "(t.digest IN (SELECT id FROM digest WHERE value IN ("+blobs+`)) OR
				t.digest IN (SELECT c.parent FROM child c JOIN digest m ON m.id = c.manifest WHERE m.value IN (`+blobs+")))")
			args = append(args, list(hexes(which.Digests)))
		}
		if which.Repository != "" {
			args = append(args, which.Repository)
			where = append(where, "t.repository IN (SELECT id FROM text WHERE value = $"+strconv.Itoa(len(args))+")")
		}
		if which.Current {
			where = append(where, "t.until IS NULL")
		}
		if len(where) > 0 {
			query += " WHERE " + strings.Join(where, " AND ")
		}
		_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
			var t lineage.Tag
			var digest []byte
			var since, until *int64
			err := rows.Scan(&t.Repository, &t.Name, &digest, &since, &until)
			t.Digest, t.Since, t.Until = decode(digest), timeOf(since), timeOf(until)
			return err == nil && yield(t), err
		}, query+" ORDER BY r.value, t.name, t.number", args...)
		return err
	})
}

// Carriers returns the images that have a package.
func (s *Store) Carriers(ctx context.Context, kind, name string) iter.Seq2[lineage.Carrier, error] {
	return sequence(s, func(yield func(lineage.Carrier) bool) error {
		_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
			c := lineage.Carrier{Package: lineage.Package{Type: kind, Name: name}}
			var distro *string
			var grade int64
			var err error
			c.Image, err = scanImage(rows, &c.Package.Version, &distro, &grade)
			c.Distro, c.Grade = or(distro), lineage.Grade(grade) //nolint:gosec // a grade was put in
			return err == nil && yield(c), err
		}, "SELECT "+imageFields+`, p.version, di.value, v.grade FROM package p JOIN package_set ps ON ps.id = p.package_set
			JOIN installed n ON n.package_set = ps.id JOIN inventory v ON v.image = n.image JOIN digest d ON d.id = v.image
			LEFT JOIN text di ON di.id = v.distro LEFT JOIN image i ON i.id = v.image`+textTables+` WHERE p.name = $1 AND ps.type = $2`, name, kind)
		return err
	})
}

// Packages returns what is installed in images.
func (s *Store) Packages(ctx context.Context, digests []string) iter.Seq2[lineage.Inventory, error] {
	return sequence(s, func(yield func(lineage.Inventory) bool) error {
		var current lineage.Inventory
		more, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
			var digest []byte
			var distro, kind, name, version *string
			var grade int64
			var source string
			if err := rows.Scan(&digest, &distro, &grade, &source, &kind, &name, &version); err != nil {
				return false, err
			}
			if image := decode(digest); image != current.Image {
				if current.Image != "" && !yield(current) {
					return false, nil
				}
				current = lineage.Inventory{Image: image, Distro: or(distro), Grade: lineage.Grade(grade), Source: source} //nolint:gosec // a grade was put in
			}
			if name != nil {
				current.Packages = append(current.Packages, lineage.Package{Type: or(kind), Name: *name, Version: or(version)})
			}
			return true, nil
		}, `SELECT d.value, di.value, v.grade, v.source, ps.type, p.name, p.version FROM inventory v JOIN digest d ON d.id = v.image
			LEFT JOIN text di ON di.id = v.distro LEFT JOIN installed n ON n.image = v.image LEFT JOIN package_set ps ON ps.id = n.package_set
			LEFT JOIN package p ON p.package_set = ps.id WHERE d.value IN (`+s.dialect.Blobs+`) ORDER BY v.image, ps.type, p.name, p.version`, list(hexes(digests)))
		if err == nil && more && current.Image != "" {
			yield(current)
		}
		return err
	})
}

// Instances returns what runs.
func (s *Store) Instances(ctx context.Context, digests []string) iter.Seq2[lineage.Instance, error] {
	return sequence(s, func(yield func(lineage.Instance) bool) error {
		query, args := "SELECT n.place, n.id, n.name, d.value, n.since FROM instance n JOIN digest d ON d.id = n.digest", []any(nil)
		if len(digests) > 0 {
			query, args = query+" WHERE d.value IN ("+s.dialect.Blobs+")", []any{list(hexes(digests))}
		}
		_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
			var in lineage.Instance
			var digest []byte
			var since *int64
			err := rows.Scan(&in.Place, &in.ID, &in.Name, &digest, &since)
			in.Digest, in.Since = decode(digest), timeOf(since)
			return err == nil && yield(in), err
		}, query+" ORDER BY n.place, n.id", args...)
		return err
	})
}

// Marks returns the values under keys with a prefix.
func (s *Store) Marks(ctx context.Context, prefix string) (map[string]string, error) {
	found := map[string]string{}
	_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
		var key, value string
		err := rows.Scan(&key, &value)
		if strings.HasPrefix(key, prefix) {
			found[key] = value
		}
		return true, err
	}, "SELECT name, value FROM mark WHERE name >= $1 AND name < $2", prefix, prefix+"\U0010ffff")
	if err != nil {
		return nil, s.fail(err)
	}
	return found, nil
}

// Counts says how much there is.
func (s *Store) Counts(ctx context.Context) (lineage.Counts, error) {
	var c lineage.Counts
	_, err := s.rows(ctx, func(rows *sql.Rows) (bool, error) {
		return true, rows.Scan(&c.Images, &c.Indexes, &c.Edges, &c.Tags, &c.Instances)
	}, `SELECT (SELECT count(*) FROM image WHERE kind = 1), (SELECT count(*) FROM image WHERE kind = 2), (SELECT count(*) FROM edge),
		(SELECT count(*) FROM tag WHERE until IS NULL), (SELECT count(*) FROM instance)`)
	if err != nil {
		return c, s.fail(err)
	}
	return c, nil
}
