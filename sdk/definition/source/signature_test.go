package source_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

// signed commits a payload with a signature made of it, as branch "signed".
func (r *repo) signed(sign func(payload string) string, change func(commit string) string) string {
	r.t.Helper()
	r.commit(map[string]string{"Dockerfile": "FROM a\n"})
	head, err := r.Head()
	if err != nil {
		r.t.Fatal(err)
	}
	o, err := r.CommitObject(head.Hash())
	if err != nil {
		r.t.Fatal(err)
	}
	payload := "tree " + o.TreeHash.String() + "\nauthor D <d@example.com> 1772593567 +0200\ncommitter D <d@example.com> 1772593567 +0200\n\nmessage\n\nbody\n"
	commit := payload
	if signature := sign(payload); signature != "" {
		header, body, _ := strings.Cut(payload, "\n\n")
		commit = header + "\ngpgsig " + strings.ReplaceAll(strings.TrimRight(signature, "\n"), "\n", "\n ") + "\n\n" + body
	}
	if change != nil {
		commit = change(commit)
	}
	id := r.object(plumbing.CommitObject, commit)
	r.ref("refs/heads/signed", id.String())
	return id.String()
}

func sshSign(t *testing.T, key ssh.Signer, namespace string) func(string) string {
	t.Helper()
	return func(payload string) string {
		sig, err := sshsig.Sign(strings.NewReader(payload), key, sshsig.HashSHA512, namespace)
		if err != nil {
			t.Fatal(err)
		}
		return string(sshsig.Armor(sig))
	}
}

// newPGP makes a key valid for a year from two days before the commits of these tests.
func newPGP(t *testing.T) (sign func(string) string, public string) {
	t.Helper()
	config := &packet.Config{Time: func() time.Time { return commitTime.AddDate(0, 0, -2) }, KeyLifetimeSecs: 365 * 24 * 60 * 60}
	entity, err := openpgp.NewEntity("Dev", "", "dev@example.com", config)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(entity.Serialize(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	return func(payload string) string {
		var sig bytes.Buffer
		at := &packet.Config{Time: func() time.Time { return commitTime }}
		if err := openpgp.ArmoredDetachSign(&sig, []*openpgp.Entity{entity}, strings.NewReader(payload), &openpgp.SignParams{Config: at}); err != nil {
			t.Fatal(err)
		}
		return sig.String()
	}, out.String()
}

func TestSignatures(t *testing.T) {
	key, other := newKey(t), newKey(t)
	line := func(names string, key ssh.Signer) string {
		return names + " " + string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(key.PublicKey())))
	}
	pgp, public := newPGP(t)
	_, otherPublic := newPGP(t)
	good := sshSign(t, key, "git")
	trusted := &source.Signatures{SSH: []string{"# the team", "", line("other@example.com", other), line("dev@example.com", key)}, PGP: []string{otherPublic, public}}
	one := func(line string) *source.Signatures { return &source.Signatures{SSH: []string{line}} }
	tests := []struct {
		name   string
		sign   func(string) string
		change func(string) string
		keys   *source.Signatures
		signer string
		err    error
	}{
		{"SSH", good, nil, trusted, "dev@example.com " + ssh.FingerprintSHA256(key.PublicKey()), nil},
		{"PGP", pgp, nil, trusted, "Dev <dev@example.com> ", nil},
		{"unsigned", func(string) string { return "" }, nil, trusted, "", source.ErrUnsigned},
		{"no keys at all", good, nil, &source.Signatures{}, "", source.ErrUntrusted},
		{"SSH key not listed", sshSign(t, newKey(t), "git"), nil, trusted, "", source.ErrUntrusted},
		{"PGP key not listed", pgp, nil, &source.Signatures{PGP: []string{otherPublic}}, "", source.ErrUntrusted},
		{"signed for something else", sshSign(t, key, "file"), nil, trusted, "", source.ErrForged},
		{"SSH signature of another commit", func(p string) string { return good(p + " ") }, nil, trusted, "", source.ErrForged},
		{"PGP signature of another commit", func(p string) string { return pgp(p + " ") }, nil, trusted, "", source.ErrForged},
		{"message changed", good, replace("message", "massage"), trusted, "", source.ErrForged},
		{"header added", good, replace("\n\nmessage", "\nnote x\n\nmessage"), trusted, "", source.ErrForged},
		{"signature garbled", good, replace("U1NIU0lH", "AAAAAAAA"), trusted, "", source.ErrForged},
		{"no signature in it", func(string) string { return "hello" }, nil, trusted, "", source.ErrForged},
		{"two signatures", good, replace("\ngpgsig ", "\ngpgsig x\ngpgsig "), trusted, "", source.ErrForged},
		{"two trees", good, replace("\nauthor", "\ntree 1940939eed485491bbf2e17e8cbf3038737d0572\nauthor"), trusted, "", source.ErrForged},
		{"namespaces", good, nil, one(strings.Replace(line("d", key), " ", ` namespaces="file,g*t" `, 1)), "d ", nil},
		{"other namespace", good, nil, one(strings.Replace(line("d", key), " ", ` namespaces="file" `, 1)), "", source.ErrUntrusted},
		{"valid then", good, nil, one(strings.Replace(line("d", key), " ", ` valid-after="20260101",valid-before="202612312359Z" `, 1)), "d ", nil},
		{"not yet valid", good, nil, one(strings.Replace(line("d", key), " ", ` valid-after="20270101" `, 1)), "", source.ErrUntrusted},
		{"no longer valid", good, nil, one(strings.Replace(line("d", key), " ", ` valid-before="20260101" `, 1)), "", source.ErrUntrusted},
		{"expired by now", pgp, nil, &source.Signatures{PGP: []string{public}, Time: commitTime.AddDate(2, 0, 0)}, "", source.ErrUntrusted},
		{"not expired by now", pgp, nil, &source.Signatures{PGP: []string{public}, Time: commitTime.AddDate(0, 6, 0)}, "Dev ", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRepo(t)
			id := r.signed(test.sign, test.change)
			d, err := source.Load(t.Context(), r.dir, "signed", source.Options{Signatures: test.keys})
			var sig *source.SignatureError
			switch {
			case !errors.Is(err, test.err):
				t.Fatalf("error is %v, want %v", err, test.err)
			case err != nil && (!errors.As(err, &sig) || sig.Commit != id):
				t.Errorf("error does not name the commit: %v", err)
			case err == nil && !strings.HasPrefix(d.Source.Signer, test.signer):
				t.Errorf("signer is %q, want %q", d.Source.Signer, test.signer)
			}
		})
	}
}

// TestSignaturesAndUnsignedFiles: what is not in the commit has no signature, whatever else is allowed.
func TestSignaturesAndUnsignedFiles(t *testing.T) {
	key := newKey(t)
	r := newRepo(t)
	id := r.signed(sshSign(t, key, "git"), nil)
	r.ref("refs/heads/main", id)
	keys := &source.Signatures{SSH: []string{"dev " + string(ssh.MarshalAuthorizedKey(key.PublicKey()))}}
	opts := source.Options{Signatures: keys, AllowDirty: true}
	if _, err := source.Load(t.Context(), r.dir, "", opts); err != nil {
		t.Fatal(err)
	}
	r.write(map[string]string{"new": ""})
	var dirty *source.DirtyError
	if _, err := source.Load(t.Context(), r.dir, "", opts); !errors.As(err, &dirty) {
		t.Errorf("a changed work tree passed as signed: %v", err)
	}
	if _, err := source.LoadFS(t.Context(), os.DirFS(r.dir), definition.Source{}, opts); !errors.Is(err, source.ErrUnsigned) {
		t.Errorf("files from nowhere passed as signed: %v", err)
	}
}

func replace(from, to string) func(string) string {
	return func(s string) string { return strings.Replace(s, from, to, 1) }
}

func TestSignersErrors(t *testing.T) {
	r := newRepo(t)
	r.signed(sshSign(t, newKey(t), "git"), nil)
	public := string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(newKey(t).PublicKey())))
	tests := map[string]string{
		"dev@example.com":                              "Signatures.SSH[0]: want names, options and a public key: ssh: no key found",
		`dev cert-authority ` + public:                 `Signatures.SSH[0]: option "cert-authority" is not supported`,
		`dev valid-after="soon" ` + public:             `Signatures.SSH[0]: "soon" is not a time of the form YYYYMMDD[HHMM[SS]][Z]`,
		"dev " + public + "\nroot " + public:           "Signatures.SSH[0]: want one line",
		`dev no-touch-required,cert-authority=` + "\n": "Signatures.SSH[0]: want names, options and a public key: ssh: no key found",
	}
	for line, want := range tests {
		_, err := source.Load(t.Context(), r.dir, "signed", source.Options{Signatures: &source.Signatures{SSH: []string{line}}})
		var signers *source.SignersError
		if !errors.As(err, &signers) || signers.Error() != want {
			t.Errorf("error is\n%v, want\n%s", err, want)
		}
	}
}

// TestSignaturesOfGit verifies commits that git itself signed, with ssh-keygen and gpg.
func TestSignaturesOfGit(t *testing.T) {
	dir, keys := t.TempDir(), t.TempDir()
	runGit(t, dir, "init", "-q", "-b", "main")
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM a\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	runGit(t, dir, "add", "-A")
	run := func(name string, args ...string) string {
		t.Helper()
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s: %v", name, err)
		}
		out, err := exec.CommandContext(t.Context(), name, args...).Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}
	check := func(t *testing.T, keys source.Signatures, signer string) {
		t.Helper()
		d, err := source.Load(t.Context(), dir, "", source.Options{Signatures: &keys})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(d.Source.Signer, signer) {
			t.Errorf("signer is %q, want %q", d.Source.Signer, signer)
		}
	}
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		t.Run(kind, func(t *testing.T) {
			file := filepath.Join(keys, kind)
			run("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", file)
			runGit(t, dir, "-c", "gpg.format=ssh", "-c", "user.signingkey="+file, "commit", "-q", "-S", "--allow-empty", "-m", "with\n\na body")
			public, err := os.ReadFile(file + ".pub")
			if err != nil {
				t.Fatal(err)
			}
			check(t, source.Signatures{SSH: []string{"dev@example.com " + string(public)}}, "dev@example.com SHA256:")
		})
	}
	t.Run("gpg", func(t *testing.T) {
		home := t.TempDir()
		t.Setenv("GNUPGHOME", home)
		run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "Dev <dev@example.com>", "default", "default", "never")
		ctx := context.WithoutCancel(t.Context())
		t.Cleanup(func() { _ = exec.CommandContext(ctx, "gpgconf", "--kill", "all").Run() }) // its agent would outlive the test
		runGit(t, dir, "commit", "-q", "-S", "--allow-empty", "-m", "x")
		check(t, source.Signatures{PGP: []string{run("gpg", "--armor", "--export")}, Time: time.Now()}, "Dev <dev@example.com> ")
	})
}
