// Package run is the wrapper for starting an instance: it says which image a command line of docker run or podman run
// would start, has a gate decide, and makes the command that starts exactly that image, by its digest or id. A tag that
// moves in between changes nothing any more.
//
//	w := run.Wrapper{Dialect: run.Docker, Local: engine, Remote: client, Gate: gate}
//	start, err := w.Prepare(ctx, []string{"--rm", "-p", "8080:80", "registry.example/shop/pay:1.4"})
//	if err != nil {
//		return err // denied, with the way out
//	}
//	err = syscall.Exec("/usr/bin/docker", start.Args, os.Environ())
//
// An image that is there is judged by what it is, without any network. One that is not is resolved at its registry,
// judged, pulled by digest, and judged again by what came. Images that are mounted (--mount type=image) are judged too.
// The package starts nothing itself but a pull.
package run

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
)

// Local is the engine that starts instances. [*docker.Engine] is one; [PodmanEngine] another.
type Local interface {
	// Image returns what a reference means to the engine now, and [docker.ErrNotFound] if it would have to be pulled.
	Image(ctx context.Context, ref string) (docker.Local, error)
}

// Remote says what a reference means to its registry. Package remote has one over package registry's client.
type Remote interface {
	// Resolve returns the image for a platform ("" for the engine's own), and a reference to it by digest.
	Resolve(ctx context.Context, ref, platform string) (image admission.Image, pinned string, err error)
}

// Wrapper prepares starts. All fields are required. It is safe for concurrent use.
type Wrapper struct {
	Dialect Dialect
	Local   Local
	Remote  Remote
	Gate    *admission.Gate
	// Pull fetches an image by digest.
	Pull func(ctx context.Context, pinned, platform string) error
}

// Start is a start that was allowed.
type Start struct {
	// Args are the engine's command and its arguments, the first one "docker" or "podman".
	Args []string
	// Decisions are those about the image, and about images that are mounted.
	Decisions []admission.Decision
}

// Prepare takes the words after "docker run" and returns what to start. A denial is an [*admission.DeniedError].
func (w *Wrapper) Prepare(ctx context.Context, words []string) (*Start, error) {
	c, err := Parse(w.Dialect, words)
	if err != nil {
		return nil, w.refuse(ctx, strings.Join(words, " "), err)
	}
	if rootfs := c.Get("rootfs"); rootfs != "" || c.has("rootfs") {
		return nil, w.refuse(ctx, c.Image, errors.New("--rootfs starts a directory, which no digest names"))
	}
	s := &Start{}
	image, err := w.judge(ctx, s, c.Image, c)
	if err != nil {
		return nil, err
	}
	s.Args = []string{string(w.Dialect), "run", "--pull=never"} // what was judged is here: nothing else may come
	for _, f := range c.Flags {
		words, err := w.flag(ctx, s, c, f)
		if err != nil {
			return nil, err
		}
		s.Args = append(s.Args, words...)
	}
	s.Args = append(append(s.Args, image), c.Args...)
	return s, nil
}

func (c *Command) has(name string) bool {
	for _, f := range c.Flags {
		if f.Name == name {
			return true
		}
	}
	return false
}

// refuse records the denial of what can't be judged.
func (w *Wrapper) refuse(ctx context.Context, ref string, err error) error {
	return w.Gate.Refuse(ctx, ref, admission.RuleUnidentified, "", err).Err()
}

// flag returns the words of a flag, images in it named by digest.
func (w *Wrapper) flag(ctx context.Context, s *Start, c *Command, f Flag) ([]string, error) {
	switch f.Name {
	case "pull":
		return nil, nil
	case "mount":
	default:
		return f.Words, nil
	}
	fields, err := csv.NewReader(strings.NewReader(f.Value)).Read()
	if err != nil {
		return nil, w.refuse(ctx, f.Value, fmt.Errorf("--mount: %w", err))
	}
	kind, source := "volume", -1
	for i, field := range fields {
		key, value, _ := strings.Cut(field, "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "type":
			kind = strings.ToLower(strings.TrimSpace(value))
		case "source", "src":
			source = i
		}
	}
	if kind != "image" {
		return f.Words, nil
	}
	if source < 0 {
		return nil, w.refuse(ctx, f.Value, errors.New("--mount type=image names no source"))
	}
	key, ref, _ := strings.Cut(fields[source], "=")
	image, err := w.judge(ctx, s, ref, c)
	if err != nil {
		return nil, err
	}
	fields[source] = key + "=" + image
	var out strings.Builder
	cw := csv.NewWriter(&out)
	if err := cw.Write(fields); err != nil {
		return nil, err
	}
	cw.Flush()
	return []string{"--mount", strings.TrimSuffix(out.String(), "\n")}, nil
}

// judge decides about an image and returns the name that is that image and no other.
func (w *Wrapper) judge(ctx context.Context, s *Start, ref string, c *Command) (string, error) {
	pull, platform := c.Get("pull"), c.platform()
	switch pull {
	case "", "missing", "always", "never", "newer":
	default:
		return "", w.refuse(ctx, ref, fmt.Errorf("--pull %.40q is not one of always, missing, never, newer", pull))
	}
	here, err := w.Local.Image(ctx, ref)
	missing := errors.Is(err, docker.ErrNotFound)
	switch {
	case err != nil && !missing:
		return "", w.refuse(ctx, ref, err)
	case missing && pull == "never":
		return "", w.refuse(ctx, ref, errors.New("it is not here, and --pull=never says not to fetch it"))
	case missing || pull == "always" || pull == "newer":
		if here, err = w.fetch(ctx, s, ref, platform); err != nil {
			return "", err
		}
	}
	here.Image.Ref = ref
	d := w.Gate.Decide(ctx, here.Image)
	s.Decisions = append(s.Decisions, d)
	if err := d.Err(); err != nil {
		return "", err
	}
	return w.exact(ctx, ref, here), nil
}

func (c *Command) platform() string {
	if p := c.Get("platform"); p != "" {
		return p
	}
	system, arch, variant := c.Get("os"), c.Get("arch"), c.Get("variant")
	if arch == "" {
		return ""
	}
	if system == "" {
		system = "linux"
	}
	if variant != "" {
		variant = "/" + variant
	}
	return system + "/" + arch + variant
}

// fetch resolves, judges and pulls an image. What is denied is not even pulled.
func (w *Wrapper) fetch(ctx context.Context, s *Start, ref, platform string) (docker.Local, error) {
	image, pinned, err := w.Remote.Resolve(ctx, ref, platform)
	if err != nil {
		return docker.Local{}, w.refuse(ctx, ref, err)
	}
	image.Ref = ref
	d := w.Gate.Decide(ctx, image)
	if err := d.Err(); err != nil {
		s.Decisions = append(s.Decisions, d)
		return docker.Local{}, err
	}
	if err := w.Pull(ctx, pinned, platform); err != nil {
		return docker.Local{}, w.refuse(ctx, pinned, err)
	}
	here, err := w.Local.Image(ctx, pinned)
	if err != nil {
		return docker.Local{}, w.refuse(ctx, pinned, fmt.Errorf("after it was pulled: %w", err))
	}
	return here, nil
}

// exact returns a name that is the image whatever tags do: the repository that was asked for with a digest, which people
// can read in the list of containers, if the engine says that this is the same image; its id otherwise.
func (w *Wrapper) exact(ctx context.Context, ref string, here docker.Local) string {
	asked, err := name.ParseReference(ref)
	if err != nil {
		return here.ID // it was asked for by id
	}
	for _, pinned := range here.Pinned {
		known, err := name.NewDigest(pinned)
		if err != nil || known.Context().Name() != asked.Context().Name() {
			continue
		}
		if again, err := w.Local.Image(ctx, pinned); err == nil && again.ID == here.ID {
			return pinned
		}
	}
	return here.ID
}
