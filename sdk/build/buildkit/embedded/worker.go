//go:build linux

package embedded

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/diff/apply"
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
	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/executor/resources"
	"github.com/moby/buildkit/executor/runcexecutor"
	snapshot "github.com/moby/buildkit/snapshot/containerd"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/db/boltutil"
	"github.com/moby/buildkit/util/leaseutil"
	"github.com/moby/buildkit/util/network"
	"github.com/moby/buildkit/worker/base"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	bolt "go.etcd.io/bbolt"
)

// namespace is containerd's word for a tenant of its metadata; there is one here.
const namespace = "buildkit"

// newWorker makes the part of BuildKit that stores and runs: content, snapshots, their metadata, and the executor.
// What it opened is closed by the worker's Close, or here if it fails.
func newWorker(ctx context.Context, dir string, opt Options) (_ *base.Worker, err error) {
	var opened []io.Closer
	defer func() {
		if err != nil {
			for _, c := range opened {
				_ = c.Close()
			}
		}
	}()
	name, snapshotter, err := newSnapshotter(filepath.Join(dir, "snapshots"), opt.Snapshotter)
	if err != nil {
		return nil, err
	}
	content, err := local.NewStore(filepath.Join(dir, "content"))
	if err != nil {
		return nil, err
	}
	db, err := boltutil.Open(filepath.Join(dir, "containerd.db"), 0o600, boltOptions())
	if err != nil {
		return nil, err
	}
	opened = append(opened, db)
	store, err := cache.NewStore(filepath.Join(dir, "metadata.db"))
	if err != nil {
		return nil, err
	}
	opened = append(opened, store)

	meta := metadata.NewDB(db, content, map[string]snapshots.Snapshotter{name: snapshotter})
	if err := meta.Init(ctx); err != nil {
		return nil, err
	}
	id, err := base.ID(dir)
	if err != nil {
		return nil, err
	}
	networks := networks()
	exe, err := newExecutor(filepath.Join(dir, "executor"), opt.Runc, networks)
	if err != nil {
		return nil, err
	}
	contents := snapshot.NewContentStore(meta.ContentStore(), namespace)
	return base.NewWorker(ctx, base.WorkerOpt{
		ID:               id,
		Root:             dir,
		Platforms:        []ocispec.Platform{platforms.Normalize(platforms.DefaultSpec())},
		GCPolicy:         gcPolicy(opt.MaxCacheBytes),
		NetworkProviders: networks,
		Executor:         exe,
		Snapshotter:      snapshot.NewSnapshotter(name, meta.Snapshotter(name), namespace, nil),
		ContentStore:     contents,
		Applier:          apply.NewFileSystemApplier(contents),
		Differ:           walking.NewWalkingDiff(contents),
		RegistryHosts:    hosts(opt.Insecure),
		LeaseManager:     leaseutil.WithNamespace(metadata.NewLeaseManager(meta), namespace),
		GarbageCollect:   meta.GarbageCollect,
		MetadataStore:    store,
		ContentMetadata:  db,
		MountPoolRoot:    filepath.Join(dir, "cachemounts"),
	})
}

func boltOptions() *bolt.Options {
	return &bolt.Options{FreelistType: bolt.FreelistMapType, NoFreelistSync: true}
}

// newSnapshotter returns a snapshotter and its name. Each kind has a directory of its own, since what one stored is of
// no use to the other.
func newSnapshotter(dir, kind string) (string, snapshots.Snapshotter, error) {
	if kind == "" {
		kind = Native
		if overlayutils.Supported(dir) == nil {
			kind = Overlay
		}
	}
	var (
		s   snapshots.Snapshotter
		err error
	)
	switch kind {
	case Overlay:
		s, err = overlay.NewSnapshotter(filepath.Join(dir, kind), overlay.AsynchronousRemove)
	case Native:
		s, err = native.NewSnapshotter(filepath.Join(dir, kind))
	default:
		err = fmt.Errorf("snapshotter %q is neither %q nor %q", kind, Overlay, Native)
	}
	return kind, s, err
}

// networks are what steps can have: loopback only or the host's. A step that names none gets loopback only.
func networks() map[pb.NetMode]network.Provider {
	return map[pb.NetMode]network.Provider{
		pb.NetMode_UNSET: network.NewNoneProvider(),
		pb.NetMode_NONE:  network.NewNoneProvider(),
		pb.NetMode_HOST:  network.NewHostProvider(),
	}
}

func newExecutor(dir, runc string, networks map[pb.NetMode]network.Provider) (executor.Executor, error) {
	monitor, err := resources.NewMonitor()
	if err != nil {
		return nil, err
	}
	return runcexecutor.New(runcexecutor.Opt{
		Root:              dir,
		CommandCandidates: []string{runc},
		ResourceMonitor:   monitor,
	}, networks)
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
