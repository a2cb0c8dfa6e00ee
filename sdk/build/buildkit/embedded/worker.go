//go:build linux

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/containerd/v2/plugins/diff/walking"
	"github.com/containerd/containerd/v2/plugins/snapshots/native"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay/overlayutils"
	"github.com/containerd/platforms"
	cache "github.com/moby/buildkit/cache/metadata"
	"github.com/moby/buildkit/client"
	snapshot "github.com/moby/buildkit/snapshot/containerd"
	"github.com/moby/buildkit/util/db/boltutil"
	"github.com/moby/buildkit/util/leaseutil"
	"github.com/moby/buildkit/worker/base"
	"github.com/moby/buildkit/worker/label"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	bolt "go.etcd.io/bbolt"
)

// namespace is containerd's word for a tenant of its metadata; there is one here.
const namespace = "buildkit"

// newWorker makes the part of BuildKit that stores and runs: content, snapshots, their metadata, and the executor.
// What it opened is closed by the worker's Close, or here if it fails.
func newWorker(ctx context.Context, dir, snapshotterName string, opt Options) (_ *base.Worker, err error) {
	var stores closers
	defer func() {
		if err != nil {
			_ = stores.Close()
		}
	}()
	snapshotter, err := newSnapshotter(snapshotterName, filepath.Join(dir, "snapshots"))
	if err != nil {
		return nil, err
	}
	stores = append(stores, snapshotter)
	content, err := local.NewStore(filepath.Join(dir, "content"))
	if err != nil {
		return nil, err
	}
	db, err := boltutil.Open(filepath.Join(dir, "containerd.db"), 0o600, boltOptions())
	if err != nil {
		return nil, err
	}
	stores = append(stores, db)
	meta := metadata.NewDB(db, content, map[string]snapshots.Snapshotter{snapshotterName: snapshotter})
	if err := meta.Init(ctx); err != nil {
		return nil, err
	}
	id, err := base.ID(dir)
	if err != nil {
		return nil, err
	}
	exe, err := newExecutor(ctx, filepath.Join(dir, "executor"), opt.Runc)
	if err != nil {
		return nil, err
	}
	if c, ok := exe.(io.Closer); ok {
		stores = append(stores, c)
	}
	caches, err := cache.NewStore(filepath.Join(dir, "metadata.db"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = caches.Close()
		}
	}()
	contents := snapshot.NewContentStore(meta.ContentStore(), namespace)
	return base.NewWorker(ctx, base.WorkerOpt{
		ID:               id,
		Root:             dir,
		Labels:           map[string]string{label.Executor: executorName(opt.Runc), label.Snapshotter: snapshotterName},
		Platforms:        []ocispec.Platform{platforms.Normalize(platforms.DefaultSpec())},
		GCPolicy:         gcPolicy(opt.MaxCacheBytes),
		NetworkProviders: networks(),
		Executor:         exe,
		Snapshotter:      snapshot.NewSnapshotter(snapshotterName, meta.Snapshotter(snapshotterName), namespace, nil),
		ContentStore:     contents,
		Applier:          newApplier(contents),
		Differ:           walking.NewWalkingDiff(contents),
		RegistryHosts:    hosts(opt.PlainHTTP),
		LeaseManager:     leaseutil.WithNamespace(metadata.NewLeaseManager(meta), namespace),
		GarbageCollect:   meta.GarbageCollect,
		MetadataStore:    caches,
		ContentMetadata:  stores,
		MountPoolRoot:    filepath.Join(dir, "cachemounts"),
	})
}

// closers closes what was opened last first.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, one := range slices.Backward(c) {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

func boltOptions() *bolt.Options {
	return &bolt.Options{FreelistType: bolt.FreelistMapType, NoFreelistSync: true}
}

// chooseSnapshotter returns the name that was asked for, or the best that works in dir.
func chooseSnapshotter(name, dir string) (string, error) {
	switch name {
	case Overlay, Native:
		return name, nil
	case "":
		if overlayutils.Supported(dir) == nil {
			return Overlay, nil
		}
		return Native, nil
	default:
		return "", fmt.Errorf("snapshotter %q is neither %q nor %q", name, Overlay, Native)
	}
}

func newSnapshotter(name, dir string) (snapshots.Snapshotter, error) {
	if name == Overlay {
		return overlay.NewSnapshotter(dir, overlay.AsynchronousRemove)
	}
	return native.NewSnapshotter(dir)
}

// gcPolicy keeps the cache below max bytes: first the contexts of builds and cache mounts that were not used for two
// days go, then what was used longest ago.
func gcPolicy(limit int64) []client.PruneInfo {
	return []client.PruneInfo{
		{
			Filter:       []string{"type==source.local", "type==exec.cachemount", "type==source.git.checkout"},
			KeepDuration: 48 * time.Hour,
			MaxUsedSpace: limit / 8,
		},
		{MaxUsedSpace: limit},
		{All: true, MaxUsedSpace: limit},
	}
}
