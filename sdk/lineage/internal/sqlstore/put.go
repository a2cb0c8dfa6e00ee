package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Put adds a batch in one transaction.
func (s *Store) Put(ctx context.Context, b lineage.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.Check(); err != nil {
		return err
	}
	w := writer{Store: s, statements: map[string]*sql.Stmt{}}
	err := s.transaction(ctx, func(tx *sql.Tx) error {
		w.tx = tx
		for _, put := range []func(context.Context, *lineage.Batch) error{
			w.number, w.images, w.edges, w.tags, w.inventories, w.instances, w.marks,
		} {
			if err := put(ctx, &b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return s.fail(err)
	}
	s.remember(w.newTexts)
	return nil
}

// remember keeps the numbers of texts, not too many of them.
func (s *Store) remember(texts map[string]int64) {
	const limit = 1 << 16
	s.writing.Lock()
	defer s.writing.Unlock()
	if len(s.texts)+len(texts) > limit {
		clear(s.texts)
	}
	if len(texts) <= limit {
		maps.Copy(s.texts, texts)
	}
}

// writer is one transaction.
type writer struct {
	*Store
	tx         *sql.Tx
	digests    map[string]int64 // the numbers of all digests of the batch
	fresh      map[string]bool  // those that were not known before
	newTexts   map[string]int64
	newTags    [][]any // rows that are not written yet
	statements map[string]*sql.Stmt
}

// number gives every digest and text of the batch its number.
func (w *writer) number(ctx context.Context, b *lineage.Batch) error {
	w.digests, w.fresh, w.newTexts = map[string]int64{}, map[string]bool{}, map[string]int64{}
	texts := map[string]bool{}
	for i := range b.Images {
		img := &b.Images[i]
		w.digests[img.Digest] = 0
		for _, child := range img.Manifests {
			w.digests[child.Digest] = 0
			texts[child.Platform] = true
		}
		for _, text := range []string{img.Platform, img.Owner, img.Note, img.Definition.Repository, img.Definition.Path} {
			texts[text] = true
		}
	}
	for i := range b.Edges {
		e := &b.Edges[i]
		w.digests[e.Image.Digest] = 0
		if e.Base != "" {
			w.digests[e.Base] = 0
		}
		texts[e.Name], texts[lineage.RepositoryOf(e.Name)] = true, true
	}
	for _, t := range b.Tags {
		texts[t.Repository] = true
		if t.Digest != "" {
			w.digests[t.Digest] = 0
		}
	}
	for _, inv := range b.Inventories {
		w.digests[inv.Image] = 0
		texts[inv.Distro] = true
	}
	for _, in := range b.Instances {
		w.digests[in.Digest] = 0
	}
	if err := w.numberDigests(ctx); err != nil {
		return err
	}
	return w.numberTexts(ctx, texts)
}

func (w *writer) numberDigests(ctx context.Context) error {
	names := slices.Sorted(maps.Keys(w.digests))
	err := w.query(ctx, func(rows *sql.Rows) error {
		var id int64
		var hash []byte
		err := rows.Scan(&id, &hash)
		w.digests[decode(hash)] = id
		return err
	}, "SELECT id, value FROM digest WHERE value IN ("+w.dialect.Blobs+")", list(hexes(names)))
	if err != nil {
		return err
	}
	next, err := w.next(ctx, "digest")
	if err != nil {
		return err
	}
	var rows [][]any
	for _, name := range names {
		if w.digests[name] == 0 {
			w.digests[name], w.fresh[name] = next, true
			rows = append(rows, []any{next, encode(name)})
			next++
		}
	}
	return w.insert(ctx, "digest (id, value)", rows, "")
}

// numberTexts gives texts their numbers; the empty one has 0.
func (w *writer) numberTexts(ctx context.Context, texts map[string]bool) error {
	var unknown []string
	for text := range texts {
		if _, known := w.texts[text]; !known && text != "" {
			unknown = append(unknown, text)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	err := w.query(ctx, func(rows *sql.Rows) error {
		var id int64
		var text string
		err := rows.Scan(&id, &text)
		w.newTexts[text] = id
		return err
	}, "SELECT id, value FROM text WHERE value IN ("+w.dialect.Texts+")", list(unknown))
	if err != nil {
		return err
	}
	next, err := w.next(ctx, "text")
	if err != nil {
		return err
	}
	var rows [][]any
	for _, text := range unknown {
		if w.newTexts[text] == 0 {
			w.newTexts[text] = next
			rows = append(rows, []any{next, text})
			next++
		}
	}
	return w.insert(ctx, "text (id, value)", rows, "")
}

func (w *writer) text(text string) int64 {
	if id, ok := w.newTexts[text]; ok {
		return id
	}
	return w.texts[text]
}

// next is the first number of a table that is free. There is one writer at a time.
func (w *writer) next(ctx context.Context, table string) (int64, error) {
	var id int64
	err := w.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&id) }, "SELECT coalesce(max(id), 0) + 1 FROM "+table)
	return id, err
}

func (w *writer) query(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	ask := w.tx.QueryContext
	if w.dialect.Prepare {
		stmt, err := w.prepared(ctx, query)
		if err != nil {
			return err
		}
		ask = func(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
			return stmt.QueryContext(ctx, args...)
		}
	}
	rows, err := ask(ctx, query, args...)
	if err != nil {
		return err
	}
	_, err = each(rows, func(rows *sql.Rows) (bool, error) { return true, scan(rows) })
	return err
}

func (w *writer) exec(ctx context.Context, query string, args ...any) error {
	if !w.dialect.Prepare {
		_, err := w.tx.ExecContext(ctx, query, args...)
		return err
	}
	stmt, err := w.prepared(ctx, query)
	if err == nil {
		_, err = stmt.ExecContext(ctx, args...)
	}
	return err
}

// prepared returns a statement that is prepared once in the transaction, whose end closes it.
func (w *writer) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := w.statements[query]; ok {
		return stmt, nil
	}
	stmt, err := w.tx.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%w in %.60q", err, query)
	}
	w.statements[query] = stmt
	return stmt, nil
}

// insert adds rows, many with one statement. What is "table (column, ...)", conflict what follows the values.
func (w *writer) insert(ctx context.Context, what string, rows [][]any, conflict string) error {
	for len(rows) > 0 {
		n := w.dialect.Rows
		for n > len(rows) { // few sizes, so that few statements are prepared
			n = (n + 1) / 2
		}
		args := make([]any, 0, n*len(rows[0]))
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		if err := w.exec(ctx, w.insertion(what, n, len(rows[0]), conflict), args...); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		rows = rows[n:]
	}
	return nil
}

func (w *writer) insertion(what string, rows, columns int, conflict string) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + what + " VALUES ")
	for n := range rows * columns {
		switch {
		case n == 0:
			b.WriteString("(")
		case n%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString(w.dialect.Mark(n + 1))
	}
	b.WriteString(") " + conflict)
	return b.String()
}
