package console

import (
	"io/fs"

	"golang.org/x/tools/txtar"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// Source is a file system with the definition's file alone, for reports to quote from: the build context need not have
// it, since .dockerignore may leave it out.
func Source(file *definition.File) fs.FS {
	fsys, err := txtar.FS(&txtar.Archive{Files: []txtar.File{{Name: file.Name, Data: file.Src}}})
	if err != nil {
		return nil // a name that no file system could have; reports go without excerpts
	}
	return fsys
}
