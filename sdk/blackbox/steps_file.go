package blackbox

import (
	"context"
	"crypto/md5"  //nolint:gosec // features say which checksum they have
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// fileStep is a step about the entry at a path, which is its first parameter. Symbolic links are followed.
func fileStep(group, expression, doc, example string, test func(e imagefs.Entry, a Args) error) Step {
	return Step{
		Group: group, Kind: KindFile, Expression: expression, Doc: doc, Example: example,
		Func: func(ctx context.Context, s *Scenario, a Args) error {
			e, err := s.entry(ctx, a.String(0))
			if err != nil {
				return err
			}
			return test(e, a)
		},
	}
}

// entry returns what a path of the image leads to. That nothing is there is a [Mismatch].
func (s *Scenario) entry(ctx context.Context, name string) (imagefs.Entry, error) {
	if err := absolute(name); err != nil {
		return imagefs.Entry{}, err
	}
	files, err := s.image.Files(ctx)
	if err != nil {
		return imagefs.Entry{}, err
	}
	e, err := files.Lookup(name)
	if errors.Is(err, fs.ErrNotExist) {
		return e, &Mismatch{What: name, Expected: "to exist", Found: "nothing there"}
	}
	return e, err
}

// lstat is entry, but does not follow a symbolic link at the path's end.
func (s *Scenario) lstat(ctx context.Context, name string) (imagefs.Entry, error) {
	if err := absolute(name); err != nil {
		return imagefs.Entry{}, err
	}
	files, err := s.image.Files(ctx)
	if err != nil {
		return imagefs.Entry{}, err
	}
	e, err := files.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return e, &Mismatch{What: name, Expected: "to exist", Found: "nothing there"}
	}
	return e, err
}

// content returns the content of a file of the image.
func (s *Scenario) content(ctx context.Context, name string) ([]byte, error) {
	if _, err := s.entry(ctx, name); err != nil {
		return nil, err
	}
	files, err := s.image.Files(ctx)
	if err != nil {
		return nil, err
	}
	return files.ReadFile(ctx, name)
}

var fileTypes = map[string]func(fs.FileMode) bool{
	"file":      fs.FileMode.IsRegular,
	"directory": fs.FileMode.IsDir,
	"symlink":   func(m fs.FileMode) bool { return m&fs.ModeSymlink != 0 },
	"pipe":      func(m fs.FileMode) bool { return m&fs.ModeNamedPipe != 0 },
	"socket":    func(m fs.FileMode) bool { return m&fs.ModeSocket != 0 },
	"device":    func(m fs.FileMode) bool { return m&fs.ModeDevice != 0 },
}

var checksums = map[string]func() hash.Hash{"SHA-256": sha256.New, "SHA-512": sha512.New, "SHA-1": sha1.New, "MD5": md5.New}

// isKind expects an entry to be of a kind; is says whether it is.
func isKind(name string, e imagefs.Entry, is bool, kind string) error {
	return expect(is, name, kind, imagefs.Kind(e.Mode))
}

// absent passes when nothing of the kind is at a path.
func absent(kind string, is func(fs.FileMode) bool) func(context.Context, *Scenario, Args) error {
	return func(ctx context.Context, s *Scenario, a Args) error {
		e, err := s.entry(ctx, a.String(0))
		if _, ok := errors.AsType[*Mismatch](err); ok {
			return nil // that nothing is there is what the step expects
		}
		if err != nil {
			return err
		}
		return expect(!is(e.Mode), a.String(0), "no "+kind, imagefs.Kind(e.Mode))
	}
}

func fileSteps() []Step {
	const group = "Files"
	content := text{
		group: group, subject: "the file {string}", what: "the content of the file", kind: KindFile,
		example: `the file "/etc/motd"`, whole: "Welcome aboard.\nMind the gap.", part: "Welcome", pattern: "^Mind .* gap", absent: "debug",
		read: func(ctx context.Context, s *Scenario, a Args) (string, error) {
			data, err := s.content(ctx, a.String(0))
			return string(data), err
		},
	}
	steps := []Step{
		fileStep(group, "the file {string} exists", "Passes when there is a regular file at the path; links are followed.",
			`Then the file "/app/service" exists`,
			func(e imagefs.Entry, a Args) error {
				return isKind(a.String(0), e, e.Mode.IsRegular(), "a regular file")
			}),
		{
			Group: group, Kind: KindFile, Expression: "the file {string} does not exist",
			Doc:     "Passes when there is no regular file at the path.",
			Example: `Then the file "/root/.ssh/id_rsa" does not exist`,
			Func:    absent("regular file", fs.FileMode.IsRegular),
		},
		fileStep(group, "the directory {string} exists", "Passes when there is a directory at the path; links are followed.",
			`Then the directory "/app" exists`,
			func(e imagefs.Entry, a Args) error { return isKind(a.String(0), e, e.Mode.IsDir(), "a directory") }),
		{
			Group: group, Kind: KindFile, Expression: "the directory {string} does not exist",
			Doc:     "Passes when there is no directory at the path.",
			Example: `Then the directory "/var/cache/apt" does not exist`,
			Func:    absent("directory", fs.FileMode.IsDir),
		},
		{
			Group: group, Kind: KindFile, Expression: "the path {string} exists",
			Doc:     "Passes when there is anything at the path. A symbolic link counts, wherever it leads.",
			Example: `Then the path "/usr/bin/service" exists`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				_, err := s.lstat(ctx, a.String(0))
				return err
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the path {string} does not exist",
			Doc:     "Passes when there is nothing at the path, not even a broken link.",
			Example: `Then the path "/root" does not exist`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				e, err := s.lstat(ctx, a.String(0))
				if _, ok := errors.AsType[*Mismatch](err); ok {
					return nil // that nothing is there is what the step expects
				}
				if err != nil {
					return err
				}
				return &Mismatch{What: a.String(0), Expected: "nothing there", Found: imagefs.Kind(e.Mode)}
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the path {string} is of the type {word}",
			Doc:     "Compares the type of what is at the path: file, directory, symlink, pipe, socket or device.",
			Example: `Then the path "/usr/bin/service" is of the type symlink`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				is, known := fileTypes[a.String(1)]
				if !known {
					return fmt.Errorf("%q is no type of file: there are %s", a.String(1), list(sortedKeys(fileTypes)))
				}
				e, err := s.lstat(ctx, a.String(0))
				if err != nil {
					return err
				}
				return isKind(a.String(0), e, is(e.Mode), a.String(1))
			},
		},
		fileStep(group, "the file {string} has {int} bytes", "Compares the size of a file exactly.",
			`Then the file "/etc/empty" has 0 bytes`,
			func(e imagefs.Entry, a Args) error {
				return expect(e.Size == int64(a.Int(1)), "the size of "+a.String(0), fmt.Sprintf("%d bytes", a.Int(1)), fmt.Sprintf("%d bytes", e.Size))
			}),
		{
			Group: group, Kind: KindFile, Expression: "the directory {string} is empty",
			Doc:     "Passes when the directory has nothing in it, or does not exist.",
			Example: `Then the directory "/var/log" is empty`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				files, err := s.image.Files(ctx)
				if err != nil {
					return err
				}
				entries, err := files.ReadDir(a.String(0))
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				if err != nil {
					return err
				}
				return expect(len(entries) == 0, a.String(0), "an empty directory", list(paths(entries)))
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the link {string} leads to {string}",
			Doc:     "Compares the target of a symbolic link as it is written.",
			Example: `Then the link "/usr/bin/service" leads to "/app/service"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				e, err := s.lstat(ctx, a.String(0))
				if err != nil {
					return err
				}
				if err := isKind(a.String(0), e, e.Mode&fs.ModeSymlink != 0, "a symbolic link"); err != nil {
					return err
				}
				return equal("the target of "+a.String(0), a.String(1), e.Link)
			},
		},
		fileStep(group, "the file {string} is smaller than {size}", "Compares the size of a file.",
			`Then the file "/app/service" is smaller than 50 MB`,
			func(e imagefs.Entry, a Args) error { return smaller("the size of "+a.String(0), a.Size(1), e.Size) }),
		{
			Group: group, Kind: KindFile, Expression: "the {word} checksum of the file {string} is {string}",
			Doc:     "Compares the checksum of a file's content in hexadecimal digits: SHA-256, SHA-512, SHA-1 or MD5. The last two can be forged.",
			Example: `Then the SHA-256 checksum of the file "/etc/empty" is "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				sum, known := checksums[a.String(0)]
				if !known {
					return fmt.Errorf("%q is no checksum that this step knows: there are %s", a.String(0), list(sortedKeys(checksums)))
				}
				data, err := s.content(ctx, a.String(1))
				if err != nil {
					return err
				}
				h := sum()
				h.Write(data)
				return equal("the checksum of "+a.String(1), a.String(2), hex.EncodeToString(h.Sum(nil)))
			},
		},
		{
			Group: group, Kind: KindFile, Expression: "the JSON file {string} has {string} at {string}",
			Doc:     "Compares a value of a JSON file at a JSONPath (RFC 9535). Numbers and booleans are compared as they are written.",
			Example: `Then the JSON file "/app/config.json" has "info" at "$.log.level"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				data, err := s.content(ctx, a.String(0))
				if err != nil {
					return err
				}
				return jsonEqual(fmt.Sprintf("%s in %s", a.String(2), a.String(0)), data, a.String(2), a.String(1))
			},
		},
	}
	return append(steps, content.steps()...)
}

func paths(entries []imagefs.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Path)
	}
	return all
}
