package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/u-root/u-root/pkg/core"
	"github.com/u-root/u-root/pkg/core/base64"
	"github.com/u-root/u-root/pkg/core/cat"
	"github.com/u-root/u-root/pkg/core/chmod"
	"github.com/u-root/u-root/pkg/core/cp"
	"github.com/u-root/u-root/pkg/core/find"
	"github.com/u-root/u-root/pkg/core/ls"
	"github.com/u-root/u-root/pkg/core/mkdir"
	"github.com/u-root/u-root/pkg/core/mktemp"
	"github.com/u-root/u-root/pkg/core/mv"
	"github.com/u-root/u-root/pkg/core/rm"
	"github.com/u-root/u-root/pkg/core/shasum"
	"github.com/u-root/u-root/pkg/core/tar"
	"github.com/u-root/u-root/pkg/core/touch"
	"github.com/u-root/u-root/pkg/core/xargs"
)

var errNoCommand = errors.New("no such command")

// command is a command with its arguments, its own name not among them.
type command func(ctx context.Context, args []string) error

// commands are all that the userland has, by name.
func commands() map[string]command {
	all := map[string]command{
		"sh": shell, "id": id, "whoami": whoami, "sleep": sleep, "env": env, "ln": ln, "chown": chown,
	}
	for name, make := range map[string]func() core.Command{
		"base64": base64.New, "cat": cat.New, "chmod": chmod.New, "cp": cp.New, "find": find.New, "ls": ls.New,
		"mkdir": mkdir.New, "mktemp": mktemp.New, "mv": mv.New, "rm": rm.New, "shasum": shasum.New, "tar": tar.New,
		"touch": touch.New, "xargs": xargs.New,
	} {
		all[name] = func(ctx context.Context, args []string) error { return make().RunContext(ctx, args...) }
	}
	for _, name := range []string{"[", "echo", "false", "printf", "pwd", "test", "true"} {
		all[name] = builtin(name)
	}
	return all
}

func dispatch(ctx context.Context, name string, args []string) error {
	if name == "--list" {
		for _, n := range names() {
			fmt.Println(n)
		}
		return nil
	}
	run, ok := commands()[name]
	if !ok {
		return errNoCommand
	}
	return run(ctx, args)
}

func names() []string {
	var all []string
	for name := range commands() {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func id(_ context.Context, args []string) error {
	uid, gid := strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getgid())
	switch strings.Join(args, " ") {
	case "-u":
		fmt.Println(uid)
	case "-g":
		fmt.Println(gid)
	case "":
		fmt.Printf("uid=%s(%s) gid=%s\n", uid, userName(uid), gid)
	default:
		return fmt.Errorf("knows -u and -g, not %q", args)
	}
	return nil
}

func whoami(context.Context, []string) error {
	fmt.Println(userName(strconv.Itoa(os.Getuid())))
	return nil
}

func userName(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}

func sleep(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("wants one duration: sleep 1, sleep 0.5, sleep 2m")
	}
	text := args[0]
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func env(context.Context, []string) error {
	for _, e := range os.Environ() {
		fmt.Println(e)
	}
	return nil
}

func ln(_ context.Context, args []string) error {
	link := os.Link
	if len(args) > 0 && args[0] == "-s" {
		link, args = os.Symlink, args[1:]
	}
	if len(args) != 2 {
		return errors.New("wants: ln [-s] TARGET NAME")
	}
	return link(args[0], args[1])
}

func chown(_ context.Context, args []string) error {
	recursive := len(args) > 0 && args[0] == "-R"
	if recursive {
		args = args[1:]
	}
	if len(args) < 2 {
		return errors.New("wants: chown [-R] USER[:GROUP] PATHS")
	}
	uid, gid, err := owner(args[0])
	if err != nil {
		return err
	}
	for _, root := range args[1:] {
		err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if path != root && !recursive {
				return filepath.SkipAll
			}
			return os.Lchown(path, uid, gid)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// owner reads USER[:GROUP]; each is a name or a number.
func owner(text string) (uid, gid int, err error) {
	name, group, hasGroup := strings.Cut(text, ":")
	gid = -1
	if uid, err = strconv.Atoi(name); err != nil {
		u, err := user.Lookup(name)
		if err != nil {
			return 0, 0, err
		}
		uid, _ = strconv.Atoi(u.Uid)
	}
	if !hasGroup {
		return uid, gid, nil
	}
	if gid, err = strconv.Atoi(group); err != nil {
		g, err := user.LookupGroup(group)
		if err != nil {
			return 0, 0, err
		}
		gid, _ = strconv.Atoi(g.Gid)
	}
	return uid, gid, nil
}
