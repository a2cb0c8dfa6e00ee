package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

func newKey(out *output) *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Make signing keys and look at them"}
	cmd.AddCommand(newKeyNew(out), newKeyShow(out))
	return cmd
}

// passphraseHelp says where passphrases come from.
const passphraseHelp = `The passphrase is read from the environment variable PLIMSOLL_PASSPHRASE or COSIGN_PASSWORD, from the file that
--passphrase-file names, or asked for on the terminal.`

// passphrase is where the passphrase of a key comes from.
type passphrase struct{ file string }

func (p *passphrase) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.file, "passphrase-file", "", "file with the key's passphrase")
}

// read returns the passphrase; twice has it typed twice.
func (p *passphrase) read(cmd *cobra.Command, twice bool) ([]byte, error) {
	if p.file != "" {
		secret, err := os.ReadFile(p.file)
		return bytes.TrimRight(secret, "\r\n"), err
	}
	for _, name := range []string{"PLIMSOLL_PASSPHRASE", "COSIGN_PASSWORD"} {
		if secret, set := os.LookupEnv(name); set {
			return []byte(secret), nil
		}
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, errors.New("the key's passphrase: there is no terminal to ask on: set PLIMSOLL_PASSPHRASE (to nothing for none), or give --passphrase-file")
	}
	ask := func(prompt string) ([]byte, error) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		secret, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return secret, err
	}
	secret, err := ask("Passphrase: ")
	if err != nil || !twice {
		return secret, err
	}
	again, err := ask("The same again: ")
	if err == nil && !bytes.Equal(secret, again) {
		err = errors.New("the passphrases differ")
	}
	return secret, err
}

func newKeyNew(out *output) *cobra.Command {
	var pass passphrase
	var name, algorithm string
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make a key: NAME.key, encrypted, and NAME.pub for who verifies",
		Long: `Make a signing key: NAME.key is the private half, encrypted as cosign does it, and NAME.pub the public one.
Neither file is overwritten. ` + passphraseHelp,
		Example: `  plimsoll key new --name build-2027
  PLIMSOLL_PASSPHRASE=... plimsoll key new --name build-2027 --type ed25519 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := attest.GenerateKey(attest.Algorithm(algorithm))
			if err != nil {
				return err
			}
			for _, path := range []string{name + ".key", name + ".pub"} {
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("%s is there already: keys are not overwritten; give another --name", path)
				}
			}
			secret, err := pass.read(cmd, true)
			if err != nil {
				return err
			}
			sealed, err := key.MarshalEncrypted(secret)
			if err != nil {
				return err
			}
			if err := create(name+".key", sealed, 0o600); err != nil {
				return err
			}
			if err := create(name+".pub", key.Public().PEM(), 0o644); err != nil {
				return errors.Join(err, os.Remove(name+".key"))
			}
			made := map[string]string{"id": key.Public().ID(), "key": name + ".key", "public": name + ".pub"}
			return out.answer(cmd, made, func(w io.Writer, _ console.Style) error {
				_, err := fmt.Fprintf(w, "%s\n%s.key (keep it secret)\n%s.pub\n", key.Public().ID(), name, name)
				return err
			})
		},
	}
	pass.flags(cmd)
	cmd.Flags().StringVar(&name, "name", "plimsoll", "the files' name, without .key and .pub")
	cmd.Flags().StringVar(&algorithm, "type", string(attest.ECDSA), "kind of key: ecdsa (P-256) or ed25519")
	return cmd
}

// create writes a file that must not exist; a half-written one is removed.
func create(path string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func newKeyShow(out *output) *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE",
		Short: "Show the ids and times of public keys: a .pub file, or a list of trusted keys",
		Example: `  plimsoll key show build-2027.pub
  plimsoll key show keys.yaml --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := loadKeys(args[0])
			if err != nil {
				return err
			}
			type shown struct {
				ID    string `json:"id"`
				Name  string `json:"name,omitempty"`
				From  string `json:"from,omitempty"`
				Until string `json:"until,omitempty"`
			}
			var all []shown
			for _, k := range keys {
				s := shown{ID: k.Key.ID(), Name: k.Name}
				if !k.From.IsZero() {
					s.From = k.From.Format(time.RFC3339)
				}
				if !k.Until.IsZero() {
					s.Until = k.Until.Format(time.RFC3339)
				}
				all = append(all, s)
			}
			return out.answer(cmd, all, func(w io.Writer, _ console.Style) error {
				for _, s := range all {
					fmt.Fprint(w, s.ID)
					for _, part := range [][2]string{{" ", s.Name}, {" from ", s.From}, {" until ", s.Until}} {
						if part[1] != "" {
							fmt.Fprint(w, part[0]+part[1])
						}
					}
					fmt.Fprintln(w)
				}
				return nil
			})
		},
	}
}

func loadKeys(path string) (attest.Keys, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return attest.LoadKeys(path, src)
}

// signing are the flags of what signs.
type signing struct {
	pass passphrase
	key  string
}

func (s *signing) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.key, "key", "", "private key to sign with, as \"plimsoll key new\" or cosign makes it")
	s.pass.flags(cmd)
}

// load reads the key. An unencrypted one needs no passphrase.
func (s *signing) load(cmd *cobra.Command) (*attest.Key, error) {
	src, err := os.ReadFile(s.key)
	if err != nil {
		return nil, err
	}
	key, err := attest.LoadKey(src, nil)
	if errors.Is(err, attest.ErrPassphrase) {
		secret, failed := s.pass.read(cmd, false)
		if failed != nil {
			return nil, failed
		}
		key, err = attest.LoadKey(src, secret)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.key, err)
	}
	return key, nil
}
