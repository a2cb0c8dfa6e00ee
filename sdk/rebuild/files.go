package rebuild

import (
	"io/fs"
	"strings"
)

// packageDatabases are the files and directories in which package managers of distributions keep what is installed. A
// layer that has one hides the new base's: scanners would read stale versions, and the next installation would too.
var packageDatabases = []string{
	"var/lib/dpkg", "lib/apk", "usr/lib/apk", "var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm", "var/lib/pacman",
	"var/db/pkg", "var/lib/opkg", "usr/lib/opkg",
}

// layer judges what one of the image's own layers touches.
func (j *judge) layer(number int, t *Touched) {
	accounts := j.accounts()
	for _, e := range t.Paths {
		j.entry(number, e)
		if accounts != "" && (e.UID != 0 || e.GID != 0) {
			j.say(Overlap, number, "/"+e.Path, "belongs to %d:%d, which may have been looked up in /%s, and that changed", e.UID, e.GID, accounts)
			accounts = "" // once is enough
		}
	}
	for _, path := range t.Hidden {
		if db := database(path); db != "" {
			j.say(PackageState, number, "/"+path, "removes the package database %s", "/"+db)
			continue
		}
		if at, how := j.change.at(path); how != "" {
			j.say(Overlap, number, "/"+path, "is removed here, and /%s was %s in the new base", at, how)
		}
	}
	for _, dir := range t.Opaque {
		if at, how := j.change.at(dir); how != "" {
			j.say(Overlap, number, "/"+dir, "all below is replaced here, and /%s was %s in the new base", at, how)
		}
	}
}

// accounts returns the file with users or groups that the new base changed, if it did. COPY --chown looks names up there.
func (j *judge) accounts() string {
	for _, path := range []string{"etc/passwd", "etc/group"} {
		if _, changed := j.change.files[path]; changed {
			return path
		}
	}
	return ""
}

func (j *judge) entry(number int, e Entry) {
	if db := database(e.Path); db != "" && (!e.Dir || !j.sameDir(e)) {
		j.say(PackageState, number, "/"+e.Path, "belongs to the package database %s", "/"+db)
		return
	}
	how, changed := j.change.files[e.Path]
	switch {
	case changed && (!e.Dir || !j.sameDir(e)):
		j.say(Overlap, number, "/"+e.Path, "is written here, and was %s in the new base", how)
		return
	case !changed && !e.Dir:
		if below, some := j.change.below[e.Path]; some {
			j.say(Overlap, number, "/"+e.Path, "is written here, and /%s was %s in the new base", below, j.change.files[below])
			return
		}
	}
	// What stands where the layer expects directories?
	for dir := parent(e.Path); dir != ""; dir = parent(dir) {
		before, existed := j.change.Old.files[dir]
		after, exists := j.change.New.files[dir]
		if existed && (!exists || after.mode.Type() != before.mode.Type() || after.link != before.link) {
			j.say(Overlap, number, "/"+e.Path, "is written here below /%s, which was %s in the new base", dir, j.change.files[dir])
			return
		}
	}
}

// sameDir says whether a layer's directory entry says of a directory what the new base says, so that it changes nothing.
func (j *judge) sameDir(e Entry) bool {
	f, exists := j.change.New.files[e.Path]
	return exists && f.mode.IsDir() && f.uid == e.UID && f.gid == e.GID && unixMode(f.mode) == e.Mode
}

// unixMode is the mode as an archive has it: permission, setuid, setgid and sticky bits.
func unixMode(m fs.FileMode) int64 {
	mode := int64(m.Perm())
	for bit, value := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			mode |= value
		}
	}
	return mode
}

// at returns what the new base changed at a path or below it, and how; "" if nothing.
func (c *Change) at(path string) (changed, how string) {
	if how, ok := c.files[path]; ok {
		return path, how
	}
	if below, ok := c.below[path]; ok {
		return below, c.files[below]
	}
	if path == "" { // the root
		for changed, how := range c.files {
			return changed, how
		}
	}
	return "", ""
}

// database returns the package database that a path is or belongs to, or that is below it; "" if none.
func database(path string) string {
	for _, db := range packageDatabases {
		if path == db || strings.HasPrefix(path, db+"/") {
			return db
		}
	}
	return ""
}
