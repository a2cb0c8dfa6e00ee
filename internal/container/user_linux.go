package container

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container/internal/stage"
)

// Identity is who a process of an image is.
type Identity struct {
	UID, GID int
	Groups   []int
	Home     string // "/" if the image does not say
}

// maxUserFile bounds /etc/passwd and /etc/group of an image.
const maxUserFile = 10 << 20

// ResolveUser finds out who "user", "uid", "user:group" or "" (root) is in the file system at root. An image needs no
// /etc/passwd and no /etc/group for numbers, and no /etc/group for a user's name. As in BuildKit, a user and a group
// that are both given as numbers have no supplementary groups.
func ResolveUser(root, name string) (Identity, error) {
	passwd, err := openRegular(root, "/etc/passwd")
	if err != nil {
		return Identity{}, err
	}
	defer passwd.Close()
	group, err := openRegular(root, "/etc/group")
	if err != nil {
		return Identity{}, err
	}
	defer group.Close()
	who, err := user.GetExecUser(name, nil, passwd, group)
	if err != nil {
		return Identity{}, fmt.Errorf("user %q of the image: %w", name, err)
	}
	id := Identity{UID: who.Uid, GID: who.Gid, Groups: who.Sgids, Home: who.Home}
	if uid, gid, both := strings.Cut(name, ":"); both && isNumber(uid) && isNumber(gid) {
		id.Groups = nil
	}
	if id.Home == "" {
		id.Home = "/"
	}
	return id, nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 31)
	return err == nil
}

// openRegular opens a small regular file; one that does not exist is empty.
func openRegular(root, name string) (io.ReadCloser, error) {
	f, err := stage.OpenIn(root, name, unix.O_RDONLY|unix.O_NONBLOCK)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return io.NopCloser(strings.NewReader("")), nil
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	if err == nil && info.Size() > maxUserFile {
		err = &os.PathError{Op: "open", Path: name, Err: fmt.Errorf("%d bytes, the limit is %d", info.Size(), maxUserFile)}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// WithHome adds HOME to the environment unless it is there.
func WithHome(env []string, home string) []string {
	for _, v := range env {
		if strings.HasPrefix(v, "HOME=") {
			return env
		}
	}
	return append(slices.Clip(env), "HOME="+home)
}
