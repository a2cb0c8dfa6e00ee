//go:build linux

package embedded

import (
	"context"
	"errors"
	"net"
	"path/filepath"

	"github.com/containerd/containerd/v2/defaults"
	"github.com/moby/buildkit/cmd/buildkitd/config"
	"github.com/moby/buildkit/control"
	"github.com/moby/buildkit/frontend"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/forwarder"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/bboltcachestorage"
	"github.com/moby/buildkit/util/bklog"
	"github.com/moby/buildkit/util/db/boltutil"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/moby/buildkit/worker"
	"github.com/moby/buildkit/worker/base"
	"github.com/sirupsen/logrus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/bridge"
	own "github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/executor"
)

// server is an engine in this process: BuildKit's control API.
type server struct {
	grpc       *grpc.Server
	controller *control.Controller
	worker     *base.Worker
	place      *place
	said       about
	memory     *bufconn.Listener
	stopping   chan struct{}
}

// startServer starts an engine in a place of this process.
func startServer(ctx context.Context, place *place, opt Options) (engine, error) {
	bridge.Silence()
	ctx = bklog.WithLogger(ctx, bridge.Entry(opt.Log))
	if err := place.recover(ctx, opt.Runc); err != nil {
		return nil, err
	}
	s, err := newServer(ctx, place.dir, opt)
	if err != nil {
		return nil, err
	}
	s.place = place
	s.serve(s.memory)
	return s, nil
}

// newServer opens the stores in dir. What one snapshotter made is of no use to the other, so each has stores of its own.
func newServer(ctx context.Context, dir string, opt Options) (*server, error) {
	snapshotter, err := chooseSnapshotter(opt.Snapshotter, dir)
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, snapshotter)
	w, err := newWorker(ctx, dir, snapshotter, opt)
	if err != nil {
		return nil, err
	}
	workers := &worker.Controller{}
	if err := workers.Add(w); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	cache, err := bboltcachestorage.NewStore(filepath.Join(dir, "cache.db"))
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	history, err := boltutil.SafeOpen(filepath.Join(dir, "history.db"), 0o600, boltOptions())
	if err != nil {
		return nil, errors.Join(err, cache.Close(), w.Close())
	}
	sessions, err := session.NewManager()
	if err != nil {
		return nil, errors.Join(err, history.Close(), cache.Close(), w.Close())
	}
	stopping := make(chan struct{})
	var none int64
	controller, err := control.NewController(control.Opt{
		SessionManager:   sessions,
		WorkerController: workers,
		// gateway.v0 is not there on purpose: it would run a frontend from an image that the Dockerfile names.
		Frontends:      map[string]frontend.Frontend{"dockerfile.v0": forwarder.NewGatewayForwarder(workers.Infos(), dockerfile.Build)},
		CacheManager:   solver.NewCacheManager(ctx, "local", cache, worker.NewCacheResultStorage(workers)),
		Entitlements:   []string{string(entitlements.EntitlementNetworkHost)},
		HistoryDB:      history,
		HistoryConfig:  &config.HistoryConfig{MaxEntries: &none},
		CacheStore:     cache,
		LeaseManager:   w.LeaseManager(),
		ContentStore:   w.ContentStore(),
		GarbageCollect: w.GarbageCollect,
		GracefulStop:   stopping,
	})
	if err != nil {
		return nil, errors.Join(err, history.Close(), cache.Close(), w.Close())
	}
	s := &server{
		grpc:       newGRPC(bridge.Entry(opt.Log), controller),
		controller: controller,
		worker:     w,
		said:       about{Executor: executorName(opt.Runc)},
		memory:     bufconn.Listen(1 << 20),
		stopping:   stopping,
	}
	if e, ok := w.WorkerOpt.Executor.(*own.Executor); ok {
		s.said.Weaknesses = e.Weaknesses()
	}
	return s, nil
}

func newGRPC(log *logrus.Entry, controller *control.Controller) *grpc.Server {
	unary := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return handler(bklog.WithLogger(ctx, log), req)
	}
	stream := func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		return handler(srv, loggedStream{s, log})
	}
	s := grpc.NewServer(
		grpc.WaitForHandlers(true), // or a build would still clean up when its stores are closed
		grpc.ChainUnaryInterceptor(unary, grpcerrors.UnaryServerInterceptor),
		grpc.ChainStreamInterceptor(stream, grpcerrors.StreamServerInterceptor),
		grpc.MaxRecvMsgSize(defaults.DefaultMaxRecvMsgSize),
		grpc.MaxSendMsgSize(defaults.DefaultMaxSendMsgSize),
	)
	controller.Register(s)
	return s
}

type loggedStream struct {
	grpc.ServerStream
	log *logrus.Entry
}

func (s loggedStream) Context() context.Context {
	return bklog.WithLogger(s.ServerStream.Context(), s.log)
}

func (s *server) dial(ctx context.Context) (net.Conn, error) { return s.memory.DialContext(ctx) }

func (s *server) about() about { return s.said }

// serve answers in the background until close.
func (s *server) serve(l net.Listener) {
	go func() { _ = s.grpc.Serve(l) }() // the error of a listener that close closes
}

// close ends running builds and writes everything to disk.
func (s *server) close() error {
	s.grpc.Stop()
	close(s.stopping)
	return errors.Join(forget(s.worker.MetadataStore), s.controller.Close(), s.place.release())
}
