package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/mail"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	gitsource "github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/forge"
	"github.com/plimsoll-dev/plimsoll/sdk/forge/github"
	"github.com/plimsoll-dev/plimsoll/sdk/forge/gitlab"
	"github.com/plimsoll-dev/plimsoll/sdk/move"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

// targeting are the flags that say which definitions are looked at.
type targeting struct {
	one                         move.Target
	list, kind, url, owner      string
	tokenFile, token, tokenHost string
	keys                        homes.SSHOptions
	useAgent                    bool
	ssh                         *homes.SSH
	forge                       interface {
		forge.Forge
		forge.Lister
	}
}

func (t *targeting) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.one.Repository, "repo", ".", "git repository, a path or a URL")
	f.StringVar(&t.one.Ref, "commit", "", "commit, branch or tag (default: HEAD)")
	f.StringVar(&t.one.Directory, "dir", "", "directory of the definition in the repository (default: its root)")
	f.StringVarP(&t.one.Dockerfile, "dockerfile", "f", "", "the definition's file (default: Dockerfile)")
	f.StringVar(&t.list, "list", "", "file with many repositories, or - for standard input")
	f.StringVar(&t.kind, "forge", "", "where repositories live: github or gitlab")
	f.StringVar(&t.url, "forge-url", "", "address of the forge (default: github.com or gitlab.com)")
	f.StringVar(&t.owner, "owner", "", "organisation, group or user of the forge whose repositories are looked at")
	f.StringVar(&t.tokenFile, "token-file", "", "file with a token for the forge (default: PLIMSOLL_TOKEN)")
	f.StringVar(&t.keys.Key, "ssh-key", "", "file with the private key for repositories over SSH")
	f.BoolVar(&t.useAgent, "ssh-agent", false, "take the keys for repositories over SSH from the agent at SSH_AUTH_SOCK")
	f.StringVar(&t.keys.KnownHosts, "known-hosts", "", "file with the keys of SSH servers (default: ~/.ssh/known_hosts)")
	cmd.MarkFlagsMutuallyExclusive("repo", "list", "owner")
	cmd.MarkFlagsMutuallyExclusive("ssh-key", "ssh-agent")
}

// prepare makes the forge, and reads keys.
func (t *targeting) prepare(ctx context.Context) (err error) {
	if t.useAgent {
		if t.keys.Agent = os.Getenv("SSH_AUTH_SOCK"); t.keys.Agent == "" {
			return errors.New("--ssh-agent: SSH_AUTH_SOCK does not name an agent")
		}
	}
	if t.keys.Key != "" || t.useAgent {
		if t.ssh, err = homes.OpenSSH(ctx, t.keys); err != nil {
			return err
		}
	}
	t.token = os.Getenv("PLIMSOLL_TOKEN")
	if t.tokenFile != "" {
		text, err := os.ReadFile(t.tokenFile)
		if err != nil {
			return fmt.Errorf("the token: %w", err)
		}
		t.token = strings.TrimSpace(string(text))
	}
	hosts := map[string]string{"github": "github.com", "gitlab": "gitlab.com"}
	t.tokenHost = hosts[t.kind]
	if t.url != "" {
		u, err := url.Parse(t.url)
		if err != nil || u.Host == "" {
			return errors.New("--forge-url is no URL")
		}
		t.tokenHost = u.Host
	}
	switch t.kind {
	case "github":
		t.forge, err = github.New(github.Options{URL: t.url, Token: t.token})
	case "gitlab":
		t.forge, err = gitlab.New(gitlab.Options{URL: t.url, Token: t.token})
	case "":
		if t.owner != "" || t.url != "" {
			err = errors.New("say with --forge what the forge is: github or gitlab")
		}
	default:
		err = fmt.Errorf("--forge %s: there are github and gitlab", t.kind)
	}
	return err
}

// close ends what prepare began.
func (t *targeting) close() error {
	if t.ssh == nil {
		return nil
	}
	return t.ssh.Close()
}

// login gives the forge's token to the forge's host and to nobody else. Over SSH it is the keys that log in.
func (t *targeting) login(repository string) gitsource.Auth {
	if server, ok := gitsource.SSHServer(repository); ok {
		if t.ssh == nil {
			return gitsource.Auth{}
		}
		return t.ssh.Auth(server)
	}
	u, err := url.Parse(repository)
	if err != nil || t.token == "" || u.Host != t.tokenHost || u.Scheme != "https" && u.Scheme != "http" {
		return gitsource.Auth{}
	}
	user := map[string]string{"github": "x-access-token", "gitlab": "oauth2"}[t.kind]
	return gitsource.Auth{User: user, Password: t.token}
}

// all are the targets. An error ends them.
func (t *targeting) all(ctx context.Context) iter.Seq2[move.Target, error] {
	switch {
	case t.owner != "":
		return t.owned(ctx)
	case t.list != "":
		return t.listed()
	}
	return func(yield func(move.Target, error) bool) { yield(t.one, nil) }
}

func (t *targeting) owned(ctx context.Context) iter.Seq2[move.Target, error] {
	return func(yield func(move.Target, error) bool) {
		stop := errors.New("enough")
		err := t.forge.Repositories(ctx, t.owner, func(r forge.Repository) error {
			if r.Branch != "" && !yield(move.Target{Repository: r.URL, Directory: t.one.Directory, Dockerfile: t.one.Dockerfile}, nil) {
				return stop
			}
			return nil
		})
		if err != nil && !errors.Is(err, stop) {
			yield(move.Target{}, fmt.Errorf("the repositories of %s: %w", t.owner, err))
		}
	}
}

func (t *targeting) listed() iter.Seq2[move.Target, error] {
	return func(yield func(move.Target, error) bool) {
		in := os.Stdin
		if t.list != "-" {
			var err error
			if in, err = os.Open(t.list); err != nil {
				yield(move.Target{}, err)
				return
			}
			defer in.Close()
		}
		n := 0
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			n++
			words := strings.Fields(lines.Text())
			if len(words) == 0 || strings.HasPrefix(words[0], "#") {
				continue
			}
			if len(words) > 3 {
				yield(move.Target{}, fmt.Errorf("%s:%d: a line is REPOSITORY [DIRECTORY [DOCKERFILE]]", t.list, n))
				return
			}
			words = append(words, t.one.Directory, t.one.Dockerfile)
			target := move.Target{Repository: words[0], Ref: t.one.Ref, Directory: words[1], Dockerfile: t.one.Dockerfile}
			if len(words) == 5 {
				target.Dockerfile = words[2]
			}
			if !yield(target, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(move.Target{}, fmt.Errorf("%s: %w", t.list, err))
		}
	}
}

// following are the flags that say what is done with a move.
type following struct {
	push, request, signOff bool
	author, base           string

	steps  move.FollowUp
	owners map[string]string
}

// followed is what was done with a move.
type followed struct {
	Pushed  *gitsource.Pushed `json:"pushed,omitempty"`
	Request *forge.Request    `json:"request,omitempty"`
}

// String says it in lines.
func (f followed) String() string {
	var b strings.Builder
	if f.Pushed != nil {
		fmt.Fprintf(&b, "          branch %s: %s", f.Pushed.Branch, f.Pushed.State)
		if f.Pushed.By != "" {
			fmt.Fprintf(&b, " by %s", console.Clean(f.Pushed.By))
		}
		b.WriteString("\n")
	}
	if f.Request != nil {
		fmt.Fprintf(&b, "          request %s: %s\n", console.Clean(f.Request.URL), f.Request.State)
	}
	return b.String()
}

func (f *following) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.push, "push-branch", false, "put the change on a branch of its own")
	flags.BoolVar(&f.request, "pull-request", false, "push the branch and open a pull request for it (with --forge)")
	flags.BoolVar(&f.signOff, "signoff", false, "sign the commit off")
	flags.StringVar(&f.author, "author", "Plimsoll <plimsoll@localhost>", "who makes the commits; nobody else may use the name")
	flags.StringVar(&f.base, "base", "", "branch to change (default: the repository's own)")
}

func (f *following) prepare(ctx context.Context, t *targeting, owners map[string]string) error {
	if err := t.prepare(ctx); err != nil {
		return err
	}
	author, err := mail.ParseAddress(f.author)
	if err != nil {
		return fmt.Errorf("--author %q is no name and address: %w", f.author, err)
	}
	if f.request && t.forge == nil {
		return errors.New("--pull-request needs to know the forge: --forge github or gitlab")
	}
	f.owners = owners
	f.steps = move.FollowUp{Author: gitsource.Author{Name: author.Name, Email: author.Address}, SignOff: f.signOff, Base: f.base, Owners: owners}
	if t.forge != nil {
		f.steps.Forge = &forge.Patient{Forge: t.forge, Max: 2 * time.Minute}
	}
	return nil
}

// up pushes the branch and opens the request, as far as that is wanted.
func (f *following) up(ctx context.Context, r move.Result, t *targeting) (out followed, err error) {
	if !f.push && !f.request || r.Move.Diff == "" { // what has no patch is shown and told
		return out, nil
	}
	follow := f.steps
	follow.Load.Auth = t.login(r.Target.Repository)
	pushed, err := follow.Push(ctx, r.Move, r.Target.Repository, time.Now())
	if err != nil {
		return out, err
	}
	out.Pushed = &pushed
	if !f.request || pushed.State == gitsource.PushMerged {
		return out, nil
	}
	request, err := follow.Propose(ctx, r.Move, pushed)
	if err != nil {
		return out, fmt.Errorf("branch %s is pushed, and no request is open for it: %w", pushed.Branch, err)
	}
	out.Request = &request
	return out, nil
}

// tell writes the move down for the teams.
func (f *following) tell(ctx context.Context, r move.Result, done followed, box notify.Notifier) error {
	told := move.Told{Labels: r.Target.Labels, Owners: f.owners, At: time.Now()}
	if done.Request != nil {
		told.Link = done.Request.URL
	}
	e, err := r.Move.Event(told)
	if err != nil {
		return err
	}
	return box.Notify(ctx, e)
}
