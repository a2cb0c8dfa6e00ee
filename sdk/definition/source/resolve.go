package source

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

const maxLinks = 40 // symbolic links in one path, as Linux has it

// resolve follows the symbolic links of a path inside fsys and returns the path without them. A path or link that is
// absolute or climbs over the root is [ErrOutside].
func resolve(fsys fs.FS, name string) (string, error) {
	todo := strings.Split(name, "/")
	outside := fmt.Errorf("%s: %w", name, ErrOutside)
	if path.IsAbs(name) {
		return "", outside
	}
	at := "."
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at == "." {
				return "", outside
			}
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		info, err := fs.Lstat(fsys, next)
		if err != nil {
			return "", err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			at = next
			continue
		}
		target, err := fs.ReadLink(fsys, next)
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("more than %d symbolic links", maxLinks)}
		}
		if path.IsAbs(target) {
			return "", fmt.Errorf("%s: symbolic link to %s: %w", next, target, ErrOutside)
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return at, nil
}
