package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// serve runs the service until ctx ends.
func serve(ctx context.Context, cfg *config, out io.Writer) (err error) {
	log := slog.New(slog.NewJSONHandler(out, nil))
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return err
	}
	if cfg.Registry.DockerConfig != "" { // only the service's process has it
		if err := os.Setenv("DOCKER_CONFIG", cfg.Registry.DockerConfig); err != nil {
			return err
		}
	}
	opts, err := cfg.options()
	if err != nil {
		return err
	}
	opts.Log = log
	if opts.Audit, err = audit.Open(or(cfg.Audit.Directory, filepath.Join(cfg.State, "audit")), audit.Options{Name: or(cfg.Audit.Name, "build-service")}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opts.Audit.Close()) }()
	tracer, flush, err := tracing(ctx, cfg.Tracing.Endpoint)
	if err != nil {
		return err
	}
	defer flush()
	opts.Tracer = tracer
	key, err := cfg.key()
	if err != nil {
		return err
	}
	client := registry.New(registry.Options{Keychain: authn.DefaultKeychain, Log: log})
	defer client.Close()
	delivery, stop, err := engines(ctx, cfg, client, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	opts.Delivery = delivery
	service, err := buildservice.New(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	if cfg.Audit.Checkpoints.Repository != "" {
		go keepCheckpoints(ctx, cfg, opts.Audit, client, key, log)
	}
	return listen(ctx, cfg, service, log)
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// listen serves until ctx ends. The API answers until the builds under way are over.
func listen(ctx context.Context, cfg *config, service *buildservice.Service, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var servers []*http.Server
	open := func(addr string, handler http.Handler, what string) error {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		server := buildservice.Server(addr, handler)
		servers = append(servers, server)
		log.Info("listening", "address", "http://"+l.Addr().String(), "for", what)
		go func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				cancel(err)
			}
		}()
		return nil
	}
	if err := open(or(cfg.Listen, "127.0.0.1:8080"), service.Handler(), "the API and the pages"); err != nil {
		return err
	}
	if cfg.Metrics != "" {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", service.Metrics())
		if err := open(cfg.Metrics, mux, "metrics"); err != nil {
			return err
		}
	}
	err := service.Run(ctx)
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	for _, server := range servers {
		if server.Shutdown(end) != nil {
			err = errors.Join(err, server.Close()) // who still follows a log
		}
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	return err
}

// options makes the service's options of the configuration, without its engines.
func (cfg *config) options() (buildservice.Options, error) {
	o := buildservice.Options{
		Dir: filepath.Join(cfg.State, "service"), Database: cfg.Database, Workers: cfg.Workers,
		MaxRunning: cfg.Limits.Running, TeamRunning: cfg.Limits.Team, TeamQuotas: cfg.Limits.Teams, MaxQueued: cfg.Limits.Queued,
		Timeout: time.Duration(cfg.Limits.Timeout), Drain: time.Duration(cfg.Limits.Drain), Attempts: cfg.Limits.Attempts,
		Limits: buildservice.Limits{
			Body: cfg.Limits.Body, Concurrent: cfg.Limits.Concurrent, Followers: cfg.Limits.Followers, Rate: cfg.Limits.Rate,
		},
		Operators: grants(cfg.Operators),
	}
	if cfg.DatabaseFile != "" {
		address, err := os.ReadFile(cfg.DatabaseFile)
		if err != nil {
			return o, err
		}
		o.Database = strings.TrimSpace(string(address))
	}
	static := callers.Static{Tokens: cfg.Callers.Tokens}
	if err := static.Check(); err != nil {
		return o, err
	}
	var issuers []callers.Issuer
	for _, i := range cfg.Callers.Issuers {
		issuers = append(issuers, callers.Issuer{Name: i.Name, URL: i.URL, Audience: i.Audience, Leeway: time.Duration(i.Leeway)})
	}
	oidc, err := callers.NewOIDC(issuers, callers.OIDCOptions{})
	if err != nil {
		return o, err
	}
	o.Callers = callers.Chain{static, oidc}
	for _, p := range cfg.Projects {
		made, err := p.options()
		if err != nil {
			return o, err
		}
		o.Projects = append(o.Projects, made)
	}
	return o, nil
}

func grants(list []grant) []callers.Grant {
	var all []callers.Grant
	for _, g := range list {
		all = append(all, callers.Grant(g))
	}
	return all
}

func (p *project) options() (buildservice.Project, error) {
	made := buildservice.Project{
		Name: p.Name, Team: p.Team, Repository: p.Repository, Publish: p.Publish, Cache: p.Cache, Directories: p.Directories,
		Tags: p.Tags, Args: p.Args, Platforms: p.Platforms, MaxPriority: p.MaxPriority, Labels: p.Labels, Grants: grants(p.Grants),
	}
	if p.Network {
		made.Network = build.NetworkHost
	}
	if p.Git.PasswordFile != "" {
		password, err := os.ReadFile(p.Git.PasswordFile)
		if err != nil {
			return made, fmt.Errorf("the project %s: %w", p.Name, err)
		}
		made.Auth = source.Auth{User: p.Git.User, Password: strings.TrimSpace(string(password))}
	}
	if len(p.Secrets) > 0 {
		made.Secrets = func(context.Context) (map[string][]byte, error) {
			secrets := map[string][]byte{}
			for id, name := range p.Secrets {
				content, err := os.ReadFile(name)
				if err != nil {
					return nil, err
				}
				secrets[id] = content
			}
			return secrets, nil
		}
	}
	return made, nil
}

// engines starts what builds and tests, and returns the pipeline for each build and what stops the engines.
func engines(ctx context.Context, cfg *config, client *registry.Client, key *attest.Key) (func(context.Context, string) (pipeline.Delivery, error), func() error, error) {
	load := func(ctx context.Context) (*catalog.Catalog, error) {
		return homes.OpenCatalog(ctx, homes.CatalogSource{
			Path: cfg.Catalog, Key: cfg.CatalogKey, Name: cfg.CatalogName, State: cfg.State, Client: client,
		})
	}
	if _, err := load(ctx); err != nil {
		return nil, nil, err
	}
	builder, err := homes.NewBuilder(ctx, or(cfg.Builder, "embedded"), cfg.State)
	if err != nil {
		return nil, nil, err
	}
	sandbox, err := homes.NewSandbox(ctx, or(cfg.Sandbox, "auto"), cfg.State)
	if err != nil {
		return nil, nil, errors.Join(err, builder.Close())
	}
	stop := func() error { return errors.Join(sandbox.Close(), builder.Close()) }
	var evidence *pipeline.Evidence
	if key != nil {
		evidence = &pipeline.Evidence{Signer: key, Store: attest.NewStore(client, attest.StoreOptions{}), Builder: cfg.Evidence.Builder}
	}
	facts := homes.CatalogFacts(client)
	return func(ctx context.Context, _ string) (pipeline.Delivery, error) {
		cat, err := load(ctx) // what Ops changed counts from the next build on
		if err != nil {
			return pipeline.Delivery{}, err
		}
		return pipeline.Delivery{
			Catalog: cat, Registry: client, Signatures: facts.Signatures, Packages: facts.Packages,
			Builder: builder, Sandbox: sandbox, Rules: rules.All(), Evidence: evidence,
		}, nil
	}, stop, nil
}

// tracing sends spans to an OTLP endpoint, if there is one.
func tracing(ctx context.Context, endpoint string) (trace.Tracer, func(), error) {
	if endpoint == "" {
		return nil, func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return nil, nil, err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("plimsoll-build-service"))))
	return provider.Tracer("github.com/plimsoll-dev/plimsoll/sdk/buildservice"), func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = provider.Shutdown(end) // spans that nobody takes are lost
	}, nil
}
