package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/plimsoll-dev/plimsoll/internal/baseimage"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"plimsoll": main})
}

// TestScripts runs testdata/script. Each script has a registry of its own at $HOST, with base/userland in the versions
// 1.4.8 and 1.4.9 and contrib/toolbox:7; HOST in its files stands for the address. "commit DIR" makes a git commit and
// "key NAME" a pair of keys.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			server, err := registrytest.Start(registrytest.Options{})
			if err != nil {
				return err
			}
			env.Defer(func() { _ = server.Close() })
			env.Setenv("HOST", server.Host)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS", "PATH"} {
				env.Setenv(name, os.Getenv(name))
			}
			if err := address(env.WorkDir, server.Host); err != nil {
				return err
			}
			return stock(server)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"commit":  commit,
			"key":     key,
			"size":    size,
			"lineage": recordLineage,
			"ship":    ship,
		},
		Condition: func(name string) (bool, error) {
			t := &probe{TB: t}
			testenv.NeedsUserNamespaces(t)
			return name == "builds" && !t.missing, nil
		},
	})
}

// probe asks testenv without skipping the test that asks.
type probe struct {
	testing.TB
	missing bool
}

func (p *probe) Skipf(string, ...any) { p.missing = true }

// address puts the registry's address into the script's files.
func address(dir, host string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "HOST", host)), 0o600)
	})
}

// stock fills the registry.
func stock(server *registrytest.Server) error {
	for ref, version := range map[string]string{
		"base/userland:1.4.8": "1.4.8", "base/userland:1.4.9": "1.4.9", "contrib/toolbox:7": "7",
	} {
		image, err := baseimage.Userland(context.Background(), version)
		if err != nil {
			return err
		}
		index, err := registrytest.Index(image)
		if err != nil {
			return err
		}
		if _, err := server.Push(context.Background(), ref, index); err != nil {
			return err
		}
	}
	return nil
}

// commit makes a git repository of a directory, if it is none, and commits all of it.
func commit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: commit DIR")
	}
	repo, err := git.PlainInit(ts.MkAbs(args[0]), false)
	if errors.Is(err, git.ErrRepositoryAlreadyExists) {
		repo, err = git.PlainOpen(ts.MkAbs(args[0]))
	}
	ts.Check(err)
	tree, err := repo.Worktree()
	ts.Check(err)
	ts.Check(tree.AddWithOptions(&git.AddOptions{All: true}))
	author := &object.Signature{Name: "Ada", Email: "ada@example.com", When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	_, err = tree.Commit("A definition", &git.CommitOptions{Author: author, Committer: author})
	ts.Check(err)
}

// key makes a key pair: NAME.key, encrypted with the passphrase "secret", and NAME.pub.
func key(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: key NAME")
	}
	made, err := attest.GenerateKey(attest.ECDSA)
	ts.Check(err)
	private, err := made.MarshalEncrypted([]byte("secret"))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".key"), private, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pub"), made.Public().PEM(), 0o600))
}

// size makes a file of so many bytes.
func size(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || len(args[1]) > 9 {
		ts.Fatalf("usage: size FILE BYTES")
	}
	n := 0
	for _, c := range args[1] {
		n = 10*n + int(c-'0')
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat("# filler\n", n/9)), 0o600))
}
