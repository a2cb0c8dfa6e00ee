package dagger

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/ociimage"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Build runs one build. A step that fails is a [*build.Error]; a definition that reads a source which was not listed wraps
// [build.ErrUnlisted], and the engine was not asked then.
func (b *Builder) Build(ctx context.Context, req build.Request) (_ *build.Result, err error) {
	r, err := b.request(ctx, req)
	if err != nil {
		return nil, ended(ctx, err)
	}
	if err := vacant(req.Layout); err != nil {
		return nil, err
	}
	if len(req.Secrets) > 0 {
		b.secrets.Lock()
		defer b.secrets.Unlock()
	}
	dir, err := os.MkdirTemp(b.opts.Scratch, "plimsoll-build-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	variables, err := b.prepare(ctx, r, filepath.Join(dir, "context"))
	if err != nil {
		return nil, ended(ctx, err)
	}
	var images []v1.Image
	var steps []build.Step
	for i, platform := range r.Platforms {
		step := build.Step{Name: "[" + platform + "] " + r.Name}
		r.tell(build.Event{Step: step.Name, State: "start"})
		begin := time.Now() //nolint:forbidigo // measures a duration
		img, err := b.image(ctx, r, platform, variables, filepath.Join(dir, strconv.Itoa(i)))
		step.Duration = time.Since(begin)
		if err != nil {
			r.tell(build.Event{Step: step.Name, State: "error", Duration: step.Duration})
			return nil, r.explain(ctx, step.Name, err)
		}
		r.tell(build.Event{Step: step.Name, State: "done", Duration: step.Duration})
		images, steps = append(images, img), append(steps, step)
	}
	return b.result(ctx, r, images, steps)
}

// vacant checks that a layout can be written, before anything is done.
func vacant(layout string) error {
	if layout == "" {
		return fmt.Errorf("the request has no directory for the layout")
	}
	if entries, err := os.ReadDir(layout); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s: is not empty: a layout is written to a directory that is empty or not there", layout)
	}
	return nil
}

func (r *request) tell(e build.Event) {
	if r.Progress != nil {
		r.Progress(e)
	}
}

// platform is the engine's own.
func (b *Builder) platform(ctx context.Context) (string, error) {
	var answer struct{ DefaultPlatform string }
	err := b.query(ctx, "{defaultPlatform}", nil, &answer)
	return answer.DefaultPlatform, err
}

// folder holds the Dockerfile in what the engine gets. A file that says what to ignore lies beside it, so that neither
// gets into the build context, nor a .dockerignore has to be changed that does.
const folder = ".plimsoll"

// prepare sends what all platforms need and returns the variables of the build's query.
func (b *Builder) prepare(ctx context.Context, r *request, dir string) (map[string]any, error) {
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if err := writeTree(ctx, r.Context, dir); err != nil {
		return nil, fmt.Errorf("build context: %w", err)
	}
	name := folder
	for exists(dir, name) {
		name += "_"
	}
	ignore, err := os.ReadFile(filepath.Join(dir, ".dockerignore"))
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("build context: %w", err)
	}
	if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
		return nil, err
	}
	for file, content := range map[string][]byte{"Dockerfile": text, "Dockerfile.dockerignore": fmt.Appendf(ignore, "\n/%s\n", name)} {
		path := filepath.Join(dir, name, file)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return nil, err
		}
		if err := os.Chtimes(path, r.Created, r.Created); err != nil {
			return nil, err
		}
	}
	id, err := b.opts.Upload(ctx, b.query, dir)
	if err != nil {
		return nil, fmt.Errorf("build context: %s", plain(err))
	}
	variables := map[string]any{"dir": id, "dockerfile": name + "/Dockerfile", "args": r.arguments()}
	if r.Target != "" {
		variables["target"] = r.Target
	}
	if variables["secrets"], err = b.setSecrets(ctx, r.Secrets); err != nil {
		return nil, err
	}
	return variables, nil
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

// arguments are the build arguments, sorted so that equal requests are equal to the engine.
func (r *request) arguments() []map[string]string {
	all := maps.Clone(r.Args)
	if all == nil {
		all = map[string]string{}
	}
	epoch := int64(0)
	if !r.Created.IsZero() {
		epoch = r.Created.Unix()
	}
	all["SOURCE_DATE_EPOCH"] = strconv.FormatInt(epoch, 10)
	all["BUILDKIT_CACHE_MOUNT_NS"] = r.CacheScope
	list := make([]map[string]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, map[string]string{"name": name, "value": all[name]})
	}
	return list
}

// setSecrets makes the engine's secrets of the request's, and returns their IDs.
func (b *Builder) setSecrets(ctx context.Context, secrets map[string][]byte) ([]string, error) {
	ids := []string{}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		var answer struct{ SetSecret struct{ ID string } }
		err := b.query(ctx, `query($name: String!, $value: String!) {setSecret(name: $name, plaintext: $value) {id}}`,
			map[string]any{"name": name, "value": string(secrets[name])}, &answer)
		if err != nil {
			return nil, fmt.Errorf("secret %s: the engine does not take it", name) // its error may hold the value
		}
		ids = append(ids, answer.SetSecret.ID)
	}
	return ids, nil
}

// building is the whole build: the engine does the work when the image is asked for.
const building = `query($dir: DirectoryID!, $dockerfile: String!, $platform: Platform!, $args: [BuildArg!]!, $target: String, $secrets: [SecretID!]!, $path: String!) {
	loadDirectoryFromID(id: $dir) {
		dockerBuild(dockerfile: $dockerfile, platform: $platform, buildArgs: $args, target: $target, secrets: $secrets) {
			export(path: $path, mediaTypes: OCIMediaTypes)
		}
	}
}`

// image builds for one platform, and takes the image out of the engine.
func (b *Builder) image(ctx context.Context, r *request, platform string, variables map[string]any, dir string) (v1.Image, error) {
	variables = maps.Clone(variables)
	variables["platform"], variables["path"] = platform, dir+".tar"
	query := building
	if _, named := variables["target"]; !named {
		query = strings.NewReplacer(", $target: String", "", ", target: $target", "").Replace(query)
	}
	var answer any
	if err := b.query(ctx, query, variables, &answer); err != nil {
		return nil, err
	}
	if err := untar(dir+".tar", dir); err != nil {
		return nil, fmt.Errorf("the image that the engine wrote: %w", err)
	}
	return r.image(dir, platform)
}

// result writes the layout.
func (b *Builder) result(ctx context.Context, r *request, images []v1.Image, steps []build.Step) (*build.Result, error) {
	index, err := ociimage.Index(images...)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := registry.SaveLayout(r.Layout, index); err != nil {
		return nil, err
	}
	if index, err = registry.LoadLayout(r.Layout); err != nil {
		return nil, err
	}
	digest, err := index.Digest()
	if err != nil {
		return nil, err
	}
	return &build.Result{Index: index, Digest: digest, Layout: r.Layout, Home: b.home, Steps: steps}, nil
}
