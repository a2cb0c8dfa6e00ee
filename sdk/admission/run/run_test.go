package run_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/run"
)

var (
	bad  = admissiontest.Digest("bad")
	good = admissiontest.Digest("good")
)

// world is an engine with images and a registry with others.
type world struct {
	here   map[string]docker.Local // by name, and by name with digest
	there  map[string]string       // tag to digest
	down   bool
	pulled []string
}

func newWorld() *world {
	w := &world{here: map[string]docker.Local{}, there: map[string]string{"registry.example/good:2": good, "registry.example/bad:2": bad}}
	w.load("registry.example/good:1", good)
	w.load("registry.example/bad:1", bad)
	return w
}

// load puts an image into the engine, as it is when it was pulled.
func (w *world) load(ref, id string) {
	name, _, _ := strings.Cut(ref, ":")
	l := docker.Local{ID: id, Pinned: []string{name + "@" + id}, Image: admission.Image{Digests: []string{id}}}
	w.here[ref], w.here[name+"@"+id], w.here[id] = l, l, l
}

func (w *world) Image(_ context.Context, ref string) (docker.Local, error) {
	l, ok := w.here[ref]
	if !ok {
		return l, docker.ErrNotFound
	}
	return l, nil
}

func (w *world) Resolve(_ context.Context, ref, _ string) (admission.Image, string, error) {
	digest, ok := w.there[ref]
	if !ok || w.down {
		return admission.Image{}, "", errors.New("the registry does not answer")
	}
	name, _, _ := strings.Cut(ref, ":")
	return admission.Image{Ref: ref, Digests: []string{digest}}, name + "@" + digest, nil
}

func (w *world) pull(_ context.Context, pinned, _ string) error {
	w.pulled = append(w.pulled, pinned)
	name, digest, _ := strings.Cut(pinned, "@")
	w.load(name+":pulled", digest)
	return nil
}

func (w *world) wrapper(d run.Dialect) *run.Wrapper {
	deny := admissiontest.New("test")
	deny.Ban("BAN-7", "build on base/debian:12.9", bad)
	deny.Know(good)
	return &run.Wrapper{Dialect: d, Local: w, Remote: w, Gate: admission.NewGate(admission.Options{Bundles: deny}), Pull: w.pull}
}

func Example() {
	w := newWorld().wrapper(run.Docker)
	start, err := w.Prepare(context.Background(), []string{"--rm", "-p8080:80", "-e", "A=1", "registry.example/good:1", "serve"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.ReplaceAll(strings.Join(start.Args, " "), good, "sha256:..."))
	_, err = w.Prepare(context.Background(), []string{"-d", "registry.example/bad:1"})
	fmt.Println(errors.Is(err, admission.ErrDenied))
	// Output:
	// docker run --pull=never --rm -p8080:80 -e A=1 registry.example/good@sha256:... serve
	// true
}

func TestPrepare(t *testing.T) {
	pinned := "registry.example/good@" + good
	tests := []struct {
		name   string
		words  string
		podman bool
		change func(*world)
		want   string // what follows "run --pull=never", or part of the error behind "!"
		pulled int
	}{
		{name: "here", words: "registry.example/good:1", want: pinned},
		{name: "banned", words: "registry.example/bad:1", want: "!BAN-7"},
		{name: "by id", words: good, want: good},
		{name: "banned by id", words: bad, want: "!BAN-7"},
		{name: "retagged", words: "innocent:1", want: "!BAN-7", change: func(w *world) { w.here["innocent:1"] = w.here[bad] }},
		{name: "loaded, and so without a digest of its name", words: "loaded:1", want: good, change: func(w *world) {
			w.here["loaded:1"] = docker.Local{ID: good, Image: admission.Image{Digests: []string{good}}}
		}},
		{name: "a name with digest that is another image by now", words: "registry.example/good:1", want: good, change: func(w *world) { w.here[pinned] = w.here[bad] }},
		{name: "not here", words: "registry.example/good:2", want: pinned, pulled: 1},
		{name: "not here and banned", words: "registry.example/bad:2", want: "!BAN-7"},
		{name: "not here, registry down", words: "registry.example/good:2", want: "!does not answer", change: func(w *world) { w.down = true }},
		{name: "here, registry down", words: "registry.example/good:1", want: pinned, change: func(w *world) { w.down = true }},
		{name: "banned, here, registry down", words: "registry.example/bad:1", want: "!BAN-7", change: func(w *world) { w.down = true }},
		{name: "pull always", words: "--pull always registry.example/good:2", want: pinned, pulled: 1},
		{name: "pull always, the tag has moved to a banned one", words: "--pull=always registry.example/good:1", want: "!BAN-7", change: func(w *world) { w.there["registry.example/good:1"] = bad }},
		{name: "pull missing, the tag has moved: what is here is judged and started", words: "registry.example/good:1", want: pinned, change: func(w *world) { w.there["registry.example/good:1"] = bad }},
		{name: "pull never", words: "--pull never registry.example/good:2", want: "!not here"},
		{name: "pull as never heard of", words: "--pull=maybe registry.example/good:2", want: "!maybe"},
		{name: "image mount", words: "--mount type=image,source=registry.example/good:1,target=/x registry.example/good:1", want: "--mount type=image,source=" + pinned + ",target=/x " + pinned},
		{name: "banned image mount", words: "--mount type=image,src=registry.example/bad:1,dst=/x registry.example/good:1", want: "!BAN-7"},
		{name: "banned image mount, inline", words: "--mount=dst=/x,TYPE=Image,source=registry.example/bad:1 registry.example/good:1", want: "!BAN-7"},
		{name: "image mount without a source", words: "--mount type=image,dst=/x registry.example/good:1", want: "!no source"},
		{name: "other mounts", words: "--mount type=bind,src=/a,dst=/b registry.example/good:1", want: "--mount type=bind,src=/a,dst=/b " + pinned},
		{
			name: "flags of all kinds", words: "-itd --name=x --rm=true -v /a:/b -uroot -e=A --network host -w/x registry.example/good:1 -it sh --rm",
			want: "-itd --name=x --rm=true -v /a:/b -uroot -e=A --network host -w/x " + pinned + " -it sh --rm",
		},
		{name: "a flag with a value that looks like an image", words: "--name registry.example/good:1 registry.example/bad:1", want: "!BAN-7"},
		{name: "a boolean flag does not eat the image", words: "--init registry.example/bad:1 registry.example/good:1", want: "!BAN-7"},
		{name: "short flags whose last one has a value", words: "-ite registry.example/good:1 registry.example/bad:1", want: "!BAN-7"},
		{name: "unknown flag", words: "--conjure registry.example/good:1 registry.example/bad:1", want: "!not known"},
		{name: "unknown short flag", words: "-Z registry.example/good:1", want: "!not known"},
		{name: "a flag of podman", words: "--tls-verify registry.example/good:1", want: "!not known"},
		{name: "a flag of podman, with podman", words: "--tls-verify registry.example/good:1", podman: true, want: "--tls-verify " + pinned},
		{name: "a directory instead of an image", words: "--rootfs /", podman: true, want: "!directory"},
		{name: "end of flags", words: "--rm -- registry.example/bad:1", want: "!BAN-7"},
		{name: "no image", words: "--rm", want: "!no image"},
		{name: "nothing", words: "", want: "!no image"},
		{name: "flag without its value", words: "--name", want: "!needs a value"},
		{name: "broken mount", words: `--mount type=image,source="x registry.example/good:1`, want: "!--mount"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			if tt.change != nil {
				tt.change(w)
			}
			d := run.Docker
			if tt.podman {
				d = run.Podman
			}
			start, err := w.wrapper(d).Prepare(t.Context(), strings.Fields(tt.words))
			if want, denied := strings.CutPrefix(tt.want, "!"); denied {
				if !errors.Is(err, admission.ErrDenied) || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(start.Args, " "); got != string(d)+" run --pull=never "+tt.want || len(w.pulled) != tt.pulled {
				t.Errorf("got %s, pulled %v\nwant %s", got, w.pulled, tt.want)
			}
		})
	}
}

// A pull that brings something else than was resolved is judged by what came.
func TestWhatIsPulledIsJudgedAgain(t *testing.T) {
	w := newWorld()
	wrapper := w.wrapper(run.Docker)
	wrapper.Pull = func(_ context.Context, pinned, _ string) error {
		w.here[pinned] = w.here[bad]
		return nil
	}
	if _, err := wrapper.Prepare(t.Context(), []string{"registry.example/good:2"}); !errors.Is(err, admission.ErrDenied) || !strings.Contains(err.Error(), "BAN-7") {
		t.Errorf("got %v", err)
	}
	wrapper.Pull = func(context.Context, string, string) error { return errors.New("disk full") }
	delete(w.here, "registry.example/good@"+good)
	if _, err := wrapper.Prepare(t.Context(), []string{"registry.example/good:2"}); !errors.Is(err, admission.ErrDenied) {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"-it --rm x sh", "-e A=1 -v/a:/b x", "--mount type=image,src=x y", "-- x", "-dPq x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words := strings.Fields(s)
		c, err := run.Parse(run.Docker, words)
		if err != nil {
			return
		}
		var back []string
		for _, flag := range c.Flags {
			back = append(back, flag.Words...)
		}
		rest := append([]string{c.Image}, c.Args...)
		if !slices.Equal(append(slices.Clone(back), rest...), words) && !slices.Equal(append(append(slices.Clone(back), "--"), rest...), words) {
			t.Errorf("%q became %q %q %q", words, back, c.Image, c.Args)
		}
	})
}
