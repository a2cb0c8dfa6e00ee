package catalogs

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Limits of what is unpacked.
const (
	maxPacked   = 32 << 20 // bytes of the archive
	maxUnpacked = 128 << 20
	maxEntries  = 5000
)

// manifestName is the file that says how the archive is read. Catalogs leave out hidden files, so none has it.
const manifestName = ".catalog.json"

// manifest is the archive's own file.
type manifest struct {
	// Root is what the catalog was loaded from: a file or a directory of the archive.
	Root string `json:"root"`
}

// Pack loads a catalog from root in fsys and puts it into one archive, with all parts that it includes. The archive is the
// same, byte for byte, when the files are the same.
func Pack(ctx context.Context, fsys fs.FS, root string, loader catalog.Loader) ([]byte, *catalog.Catalog, error) {
	parts := map[string]fs.FS{"": fsys}
	if fetch := loader.Fetch; fetch != nil {
		loader.Fetch = func(ctx context.Context, i catalog.Include) (fs.FS, error) {
			files, err := fetch(ctx, i)
			parts[key(i)] = files
			return files, err
		}
	}
	cat, err := loader.LoadContext(ctx, fsys, root)
	if err != nil {
		return nil, nil, err
	}
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	about, err := json.Marshal(manifest{Root: root})
	if err == nil {
		err = add(archive, manifestName, about)
	}
	done := map[string]bool{}
	for _, p := range cat.Parts() {
		for _, name := range p.Files {
			from, to := parts[""], name
			if p.Name != "" {
				from, to = parts[key(p.Include)], path.Join(key(p.Include), name)
			}
			if done[to] { // two paths of one commit are two parts
				continue
			}
			done[to] = true
			src, readErr := fs.ReadFile(from, name)
			err = errors.Join(err, readErr, add(archive, to, src))
		}
	}
	if err = errors.Join(err, archive.Close()); err != nil {
		return nil, nil, err
	}
	if out.Len() > maxPacked {
		return nil, nil, fmt.Errorf("the catalog has %d MiB when packed; %d are allowed", out.Len()>>20, maxPacked>>20)
	}
	return out.Bytes(), cat, nil
}

// key is the directory of the archive for what is fetched by an include. It is hidden, so that it is not loaded as part of
// what includes it.
func key(i catalog.Include) string {
	sum := sha256.Sum256([]byte(i.Git + "\x00" + i.Commit + "\x00" + i.OCI))
	return ".include/" + hex.EncodeToString(sum[:12])
}

// add writes one file as if it had been made at no time.
func add(archive *zip.Writer, name string, src []byte) error {
	w, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
	if err != nil {
		return err
	}
	_, err = w.Write(src)
	return err
}

// Unpack reads what [Pack] wrote. Files are unpacked when they are read; an archive whose files have more than 128 MiB
// together, or with names that lead out of it, is an error that wraps [attest.ErrMalformed].
func Unpack(archive []byte) (fs.FS, error) {
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err == nil && len(files.File) > maxEntries {
		err = fmt.Errorf("it has more than %d files", maxEntries)
	}
	if err == nil {
		left := uint64(maxUnpacked)
		for _, f := range files.File {
			switch {
			case !fs.ValidPath(f.Name) || !f.Mode().IsRegular():
				err = fmt.Errorf("%q is no regular file", f.Name)
			case f.UncompressedSize64 > left:
				err = fmt.Errorf("it has more than %d MiB", maxUnpacked>>20)
			}
			if err != nil {
				break
			}
			left -= f.UncompressedSize64
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the catalog's archive: %w: %w", attest.ErrMalformed, err)
	}
	return files, nil
}

// Open loads the catalog of an archive that [Pack] made. Loader.Fetch is not asked: what was included is in the archive.
func Open(ctx context.Context, archive []byte, loader catalog.Loader) (*catalog.Catalog, error) {
	files, err := Unpack(archive)
	if err != nil {
		return nil, err
	}
	var about manifest
	raw, err := fs.ReadFile(files, manifestName)
	if err == nil {
		err = json.Unmarshal(raw, &about)
	}
	if err == nil && !fs.ValidPath(about.Root) {
		err = fmt.Errorf("root %q", about.Root)
	}
	if err != nil {
		return nil, fmt.Errorf("the catalog's archive: %w: %s: %w", attest.ErrMalformed, manifestName, err)
	}
	loader.Fetch = func(_ context.Context, i catalog.Include) (fs.FS, error) { return fs.Sub(files, key(i)) }
	return loader.LoadContext(ctx, files, about.Root)
}
