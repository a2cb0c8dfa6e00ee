package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

func (w *writer) edges(ctx context.Context, b *lineage.Batch) error {
	var rows [][]any
	for _, e := range b.Edges {
		rows = append(rows, []any{
			w.digests[e.Image.Digest], w.digests[e.Base], string(e.Role), int64(e.Grade), w.text(e.Name),
			w.text(lineage.RepositoryOf(e.Name)), e.Source, micro(e.Time),
		})
	}
	return w.insert(ctx, "edge (image, base, role, grade, name, repository, source, at)", rows, "ON CONFLICT DO NOTHING")
}

// tags closes what a tag pointed to before and adds what it points to now.
func (w *writer) tags(ctx context.Context, b *lineage.Batch) error {
	if len(b.Tags) == 0 {
		return nil
	}
	type place struct {
		repository int64
		name       string
	}
	type pointer struct{ digest, number int64 }
	current := map[place]pointer{}
	var asked [][2]any
	for _, t := range b.Tags {
		p := place{w.text(t.Repository), t.Name}
		if _, twice := current[p]; !twice {
			current[p] = pointer{}
			asked = append(asked, [2]any{p.repository, p.name})
		}
	}
	err := w.query(ctx, func(rows *sql.Rows) error {
		var p place
		var to pointer
		err := rows.Scan(&p.repository, &p.name, &to.digest, &to.number)
		current[p] = to
		return err
	}, "SELECT repository, name, digest, number FROM tag WHERE until IS NULL AND (repository, name) IN ("+w.dialect.Pairs+")", list(asked))
	if err != nil {
		return err
	}
	next, err := w.nextTag(ctx)
	if err != nil {
		return err
	}
	for _, t := range b.Tags {
		p := place{w.text(t.Repository), t.Name}
		before := current[p]
		if before.digest == w.digests[t.Digest] {
			continue
		}
		if before.digest != 0 {
			if err := w.flushTag(ctx, p.repository, p.name, before.number, t.Since); err != nil {
				return err
			}
		}
		if current[p] = (pointer{}); t.Digest == "" {
			continue
		}
		current[p] = pointer{w.digests[t.Digest], next}
		w.newTags = append(w.newTags, []any{p.repository, p.name, next, w.digests[t.Digest], micro(t.Since)})
		next++
	}
	return w.flushTags(ctx)
}

// flushTag ends what a tag points to, which may be among those that are not written yet.
func (w *writer) flushTag(ctx context.Context, repository int64, name string, number int64, until time.Time) error {
	if err := w.flushTags(ctx); err != nil {
		return err
	}
	end := micro(until)
	if end == nil {
		end = int64(0) // it is over, and nobody says since when
	}
	return w.exec(ctx, "UPDATE tag SET until = $4 WHERE repository = $1 AND name = $2 AND number = $3", repository, name, number, end)
}

func (w *writer) flushTags(ctx context.Context) error {
	rows := w.newTags
	w.newTags = nil
	return w.insert(ctx, "tag (repository, name, number, digest, since)", rows, "")
}

// nextTag is a number that orders what tags pointed to in the order in which it was told.
func (w *writer) nextTag(ctx context.Context) (int64, error) {
	var number int64
	err := w.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&number) }, "SELECT coalesce(max(number), 0) + 1 FROM tag")
	return number, err
}

// inventories keeps the packages of each type as a set of their own: the images on one base have the same ones.
func (w *writer) inventories(ctx context.Context, b *lineage.Batch) error {
	for _, inv := range b.Inventories {
		image := w.digests[inv.Image]
		known := int64(-1)
		err := w.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&known) }, "SELECT grade FROM inventory WHERE image = $1", image)
		if err != nil {
			return err
		}
		if int64(inv.Grade) < known {
			continue
		}
		if err := w.exec(ctx, "DELETE FROM installed WHERE image = $1", image); err != nil {
			return err
		}
		err = w.insert(ctx, "inventory (image, distro, grade, source)", [][]any{{image, w.text(inv.Distro), int64(inv.Grade), inv.Source}},
			"ON CONFLICT (image) DO UPDATE SET distro = excluded.distro, grade = excluded.grade, source = excluded.source")
		if err != nil {
			return err
		}
		byType := map[string][]lineage.Package{}
		for _, p := range inv.Packages {
			byType[p.Type] = append(byType[p.Type], p)
		}
		var rows [][]any
		for _, kind := range slices.Sorted(maps.Keys(byType)) {
			set, err := w.set(ctx, kind, byType[kind])
			if err != nil {
				return err
			}
			rows = append(rows, []any{set, image})
		}
		if err := w.insert(ctx, "installed (package_set, image)", rows, "ON CONFLICT DO NOTHING"); err != nil {
			return err
		}
	}
	return nil
}

// set returns the number of a set of packages of one type, which is written if it is new.
func (w *writer) set(ctx context.Context, kind string, list []lineage.Package) (int64, error) {
	lines := make([]string, 0, len(list))
	for _, p := range list {
		lines = append(lines, fmt.Sprintf("%q %q", p.Name, p.Version))
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	hash := sha256.Sum256([]byte(kind + "\n" + strings.Join(lines, "\n")))
	id := int64(0)
	err := w.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&id) }, "SELECT id FROM package_set WHERE hash = $1", hash[:])
	if err != nil || id != 0 {
		return id, err
	}
	if id, err = w.next(ctx, "package_set"); err != nil {
		return 0, err
	}
	if err := w.insert(ctx, "package_set (id, hash, type)", [][]any{{id, hash[:], kind}}, ""); err != nil {
		return 0, err
	}
	var rows [][]any
	for _, p := range list {
		rows = append(rows, []any{id, p.Name, p.Version})
	}
	return id, w.insert(ctx, "package (package_set, name, version)", rows, "ON CONFLICT DO NOTHING")
}

func (w *writer) instances(ctx context.Context, b *lineage.Batch) error {
	var rows [][]any
	last := map[[2]string]int{}
	for _, in := range b.Instances {
		row := []any{in.Place, in.ID, in.Name, w.digests[in.Digest], micro(in.Since)}
		if at, twice := last[[2]string{in.Place, in.ID}]; twice {
			rows[at] = row
			continue
		}
		last[[2]string{in.Place, in.ID}] = len(rows)
		rows = append(rows, row)
	}
	err := w.insert(ctx, "instance (place, id, name, digest, since)", rows,
		"ON CONFLICT (place, id) DO UPDATE SET name = excluded.name, digest = excluded.digest, since = excluded.since")
	if err != nil {
		return err
	}
	for _, in := range b.Ended {
		if err := w.exec(ctx, "DELETE FROM instance WHERE place = $1 AND id = $2", in.Place, in.ID); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) marks(ctx context.Context, b *lineage.Batch) error {
	var rows [][]any
	for _, key := range slices.Sorted(maps.Keys(b.Marks)) {
		if b.Marks[key] != "" {
			rows = append(rows, []any{key, b.Marks[key]})
		} else if err := w.exec(ctx, "DELETE FROM mark WHERE name = $1", key); err != nil {
			return err
		}
	}
	return w.insert(ctx, "mark (name, value)", rows, "ON CONFLICT (name) DO UPDATE SET value = excluded.value")
}
