package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
)

// PodmanEngine asks podman by its command, since it has no daemon to ask.
type PodmanEngine struct {
	// Program is the command with its global flags. Default: "podman".
	Program []string
}

// Image implements [Local].
func (p PodmanEngine) Image(ctx context.Context, ref string) (docker.Local, error) {
	if strings.HasPrefix(ref, "-") {
		return docker.Local{}, fmt.Errorf("%.60q is not an image", ref)
	}
	program := p.Program
	if len(program) == 0 {
		program = []string{"podman"}
	}
	args := append(append([]string{}, program[1:]...), "image", "inspect", "--format", "json", ref)
	out, err := exec.CommandContext(ctx, program[0], args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		message := strings.TrimSpace(string(exit.Stderr))
		if strings.Contains(message, "image not known") || strings.Contains(message, "no such image") {
			return docker.Local{}, fmt.Errorf("image %q: %w", ref, docker.ErrNotFound)
		}
		return docker.Local{}, fmt.Errorf("podman image inspect: %s", message)
	}
	if err != nil {
		return docker.Local{}, err
	}
	return podmanImage(ref, out)
}

// podmanImage reads what podman image inspect writes.
func podmanImage(ref string, out []byte) (docker.Local, error) {
	var list []struct {
		ID          string   `json:"Id"`
		Digest      string   `json:"Digest"`
		RepoDigests []string `json:"RepoDigests"`
		RootFS      struct {
			Layers []string `json:"Layers"`
		} `json:"RootFS"`
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return docker.Local{}, fmt.Errorf("podman image inspect: %w", err)
	}
	if len(list) != 1 || list[0].ID == "" {
		return docker.Local{}, fmt.Errorf("podman image inspect: %d images of name %q", len(list), ref)
	}
	got := list[0]
	l := docker.Local{
		ID: "sha256:" + strings.TrimPrefix(got.ID, "sha256:"), Pinned: got.RepoDigests,
		Image: admission.Image{Ref: ref, Layers: got.RootFS.Layers},
	}
	l.Image.Digests = []string{l.ID}
	for _, pinned := range append([]string{"@" + got.Digest}, got.RepoDigests...) {
		if _, digest, ok := strings.Cut(pinned, "@"); ok && digest != "" {
			l.Image.Indexes = append(l.Image.Indexes, digest)
		}
	}
	return l, nil
}
