package blackbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// accounts are the users and groups of an image.
type accounts struct {
	passwd []account
	groups []account
	shadow map[string]string // hashed passwords
}

// account is a line of /etc/passwd or /etc/group.
type account struct {
	name     string
	password string
	id       int
	gid      int      // of a user
	home     string   // of a user
	shell    string   // of a user
	members  []string // of a group
}

// user is who a process runs as; gids has the main group first.
type user struct {
	uid  int
	gids []int
}

// accounts reads /etc/passwd, /etc/group and /etc/shadow. Images without them have none.
func (s *Scenario) accounts(ctx context.Context) (accounts, error) {
	var a accounts
	for _, file := range []struct {
		path   string
		fields int
		add    func(fields []string) error
	}{
		{"/etc/passwd", 7, func(f []string) error {
			uid, err := strconv.Atoi(f[2])
			gid, err2 := strconv.Atoi(f[3])
			a.passwd = append(a.passwd, account{name: f[0], password: f[1], id: uid, gid: gid, home: f[5], shell: f[6]})
			return errors.Join(err, err2)
		}},
		{"/etc/group", 4, func(f []string) error {
			gid, err := strconv.Atoi(f[2])
			a.groups = append(a.groups, account{name: f[0], id: gid, members: strings.Split(f[3], ",")})
			return err
		}},
		{"/etc/shadow", 2, func(f []string) error {
			if a.shadow == nil {
				a.shadow = map[string]string{}
			}
			a.shadow[f[0]] = f[1]
			return nil
		}},
	} {
		if err := s.eachLine(ctx, file.path, file.fields, file.add); err != nil {
			return accounts{}, err
		}
	}
	return a, nil
}

func (s *Scenario) eachLine(ctx context.Context, name string, fields int, add func([]string) error) error {
	files, err := s.image.Files(ctx)
	if err != nil {
		return err
	}
	data, err := files.ReadFile(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '+' {
			continue
		}
		f := strings.Split(line, ":")
		if len(f) < fields {
			return fmt.Errorf("%s:%d: %d fields, expected %d", name, number, len(f), fields)
		}
		if err := add(f); err != nil {
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	return nil
}

// uid returns the number of a user by number or name.
func (a accounts) uid(name string) (int, error) { return idOf("user", "/etc/passwd", a.passwd, name) }

// gid returns the number of a group by number or name.
func (a accounts) gid(name string) (int, error) { return idOf("group", "/etc/group", a.groups, name) }

func idOf(kind, file string, all []account, name string) (int, error) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	for _, entry := range all {
		if entry.name == name {
			return entry.id, nil
		}
	}
	return 0, fmt.Errorf("the image's %s has no %s %q", file, kind, name)
}

// field compares something of a user.
func (a accounts) field(name, what, want string, of func(account) string) error {
	for _, u := range a.passwd {
		if u.name == name {
			return equal("the "+what+" of the user "+name, want, of(u))
		}
	}
	return &Mismatch{What: "the users of the image", Expected: name, Found: list(accountNames(a.passwd, func(account) bool { return true }))}
}

// user returns who "name", "name:group" or the same with numbers is; empty is root.
func (a accounts) user(spec string) (user, error) {
	name, group, hasGroup := strings.Cut(or(spec, "0"), ":")
	uid, err := a.uid(name)
	if err != nil {
		return user{}, err
	}
	u := user{uid: uid, gids: []int{0}}
	for _, entry := range a.passwd {
		if entry.id == uid {
			u.gids[0], name = entry.gid, entry.name
			break
		}
	}
	if hasGroup {
		if u.gids[0], err = a.gid(group); err != nil {
			return user{}, err
		}
		return u, nil // a group that is named leaves the others out
	}
	for _, g := range a.groups {
		if slices.Contains(g.members, name) {
			u.gids = append(u.gids, g.id)
		}
	}
	return u, nil
}
