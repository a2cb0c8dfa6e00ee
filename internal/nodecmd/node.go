package nodecmd

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/agent"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/distribution"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/dockerauthz"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/nri"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/remote"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/sweep"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/verifier"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/webhook"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Commands are all commands of a machine.
func Commands() []*cobra.Command {
	return []*cobra.Command{NewRun(), NewAdmit(), NewSweep(), NewAgent(), NewGate()}
}

// gateFlag is the flag --gate of a command.
func gateFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("gate", "", "configuration of the gate (default $PLIMSOLL_GATE, or "+DefaultConfig+")")
}

func logger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func asJSON(cmd *cobra.Command) bool {
	on, err := cmd.Flags().GetBool("json")
	return err == nil && on
}

// write writes a value as JSON if --json is given, or has text write it for people.
func write(cmd *cobra.Command, value any, text func(io.Writer) error) error {
	if !asJSON(cmd) {
		return text(cmd.OutOrStdout())
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

// NewAdmit is the command "admit".
func NewAdmit() *cobra.Command {
	var local bool
	cmd := &cobra.Command{
		Use:   "admit IMAGE",
		Short: "Say whether an image may start here, and why",
		Long: `Say whether an image may start here, by the deny bundle of this machine: which ban concerns it, along which path of
images, and what to use instead. A digest ("sha256:..." or NAME@sha256:...) is judged without any network, a tag is resolved
at its registry, and with --local by Docker. Exit code 1 means that it may not.`,
		Example: `  plimsoll admit registry.example/shop/pay:1.4
  plimsoll admit sha256:... --json
  plimsoll admit --local pay:latest`,
		Args: cobra.ExactArgs(1),
	}
	gate := gateFlag(cmd)
	cmd.Flags().BoolVar(&local, "local", false, "judge the image that Docker has under this name")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		config, err := Load(configPath(*gate))
		if err != nil {
			return err
		}
		g, closeGate, err := config.Gate(true, nil)
		if err != nil {
			return err
		}
		defer func() { _ = closeGate() }()
		image, err := identify(cmd.Context(), config, args[0], local)
		if err != nil {
			return err
		}
		d := g.Decide(cmd.Context(), image)
		err = write(cmd, d, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, d)
			return err
		})
		return errors.Join(err, d.Err())
	}
	return cmd
}

func identify(ctx context.Context, config *Config, ref string, local bool) (admission.Image, error) {
	if local {
		engine, err := docker.Dial("")
		if err != nil {
			return admission.Image{}, err
		}
		defer engine.Close()
		l, err := engine.Image(ctx, ref)
		return l.Image, err
	}
	if digest := ref[strings.LastIndexByte(ref, '@')+1:]; strings.HasPrefix(digest, "sha256:") {
		return admission.Image{Ref: ref, Digests: []string{digest}}, nil
	}
	client := config.Registry()
	defer client.Close()
	image, _, err := remote.Resolver{Client: client}.Resolve(ctx, ref, "")
	return image, err
}

// NewSweep is the command "sweep".
func NewSweep() *cobra.Command {
	var hosts []string
	var metrics string
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "List what runs and would not be let start now",
		Long: `List the running instances of Docker hosts that the present deny bundle denies. Exit code 1 means that there are some.
--metrics writes the counts for Prometheus (the node exporter's textfile collector).`,
		Example: `  plimsoll sweep
  plimsoll sweep --host unix:///var/run/docker.sock --host tcp://10.0.0.7:2376 --json
  plimsoll sweep --metrics /var/lib/node_exporter/plimsoll.prom`,
		Args: cobra.NoArgs,
	}
	gate := gateFlag(cmd)
	cmd.Flags().StringArrayVar(&hosts, "host", nil, "Docker daemons (default: DOCKER_HOST)")
	cmd.Flags().StringVar(&metrics, "metrics", "", "file to write metrics to")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := Load(configPath(*gate))
		if err != nil {
			return err
		}
		g, closeGate, err := config.Gate(false, nil)
		if err != nil {
			return err
		}
		defer func() { _ = closeGate() }()
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		var places []sweep.Lister
		for _, host := range hosts {
			engine, err := docker.Dial(host)
			if err != nil {
				return err
			}
			defer engine.Close()
			places = append(places, engine)
		}
		report, err := sweep.Sweep(cmd.Context(), g, places...)
		if metrics != "" {
			err = errors.Join(err, writeMetrics(metrics, report))
		}
		err = errors.Join(err, write(cmd, report, report.Write))
		if err != nil {
			return err
		}
		return finding.Gate(report.Findings(), finding.Error)
	}
	return cmd
}

// NewAgent is the command "agent".
func NewAgent() *cobra.Command {
	var listen string
	var once, status, forget bool
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Keep the deny bundle of this machine fresh",
		Long: `Fetch the deny bundle whenever there is a newer one, and keep the last good one. It says which version it has and how
stale that is, at --listen as metrics for Prometheus (/metrics) and as JSON (/status).`,
		Example: `  plimsoll agent
  plimsoll agent --once
  plimsoll agent --status --json
  plimsoll agent --listen 127.0.0.1:9464`,
		Args: cobra.NoArgs,
	}
	gate := gateFlag(cmd)
	cmd.Flags().StringVar(&listen, "listen", "", "address for /metrics and /status (default: none)")
	cmd.Flags().BoolVar(&once, "once", false, "fetch once and end")
	cmd.Flags().BoolVar(&status, "status", false, "say what is here, fetch nothing")
	cmd.Flags().BoolVar(&forget, "forget-time", false, "forget the latest time that was seen, after the clock was ahead by mistake")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := Load(configPath(*gate))
		if err != nil {
			return err
		}
		log := logger(cmd.ErrOrStderr())
		store, err := config.OpenStore(false, log)
		if err != nil {
			return err
		}
		defer store.Close()
		if forget {
			return store.ForgetTime(cmd.Context())
		}
		say := func(s agent.Status) error {
			return write(cmd, s, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, s)
				return err
			})
		}
		if status {
			return say(store.Status(cmd.Context()))
		}
		remote, closeRemote, err := config.Remote()
		if err != nil {
			return err
		}
		defer closeRemote()
		a := agent.New(store, remote, agent.RunOptions{Every: config.Every, Log: log})
		if once {
			_, err := a.Pull(cmd.Context())
			return errors.Join(err, say(a.Status(cmd.Context())))
		}
		if listen != "" {
			stop, err := serveStatus(cmd.Context(), listen, a, log)
			if err != nil {
				return err
			}
			defer stop()
		}
		return a.Run(cmd.Context())
	}
	return cmd
}

func serveStatus(ctx context.Context, listen string, a *agent.Agent, log *slog.Logger) (stop func(), err error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a.Status(r.Context()))
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_ = a.Status(r.Context()).WriteMetrics(w)
	})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the status is not served any more", "error", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}

// NewGate is the command "gate" with the plugins as subcommands.
func NewGate() *cobra.Command {
	cmd := &cobra.Command{Use: "gate", Short: "Ask before each start: plugins of Docker, containerd and Kubernetes"}
	cmd.AddCommand(newGateDocker(), newGateNRI(), newGateWebhook(), newGateVerifier())
	return cmd
}

// serve runs a plugin with the configured gate until the program is told to end.
func serve(cmd *cobra.Command, path string, run func(context.Context, *Config, *admission.Gate, *slog.Logger) error) error {
	config, err := Load(configPath(path))
	if err != nil {
		return err
	}
	log := logger(cmd.ErrOrStderr())
	gate, closeGate, err := config.Gate(false, log)
	if err != nil {
		return err
	}
	return errors.Join(run(cmd.Context(), config, gate, log), closeGate())
}

func newGateDocker() *cobra.Command {
	var socket, host string
	var opts dockerauthz.Options
	var watchOnly, running bool
	cmd := &cobra.Command{
		Use:   "docker",
		Short: "Be Docker's authorization plugin, and end what slipped through",
		Long: `Be an authorization plugin of the Docker daemon, and watch its events to end what started around it. The daemon is told
by "authorization-plugins": ["plimsoll"] in /etc/docker/daemon.json. It is advisory for whoever holds Docker's socket.`,
		Example: `  plimsoll gate docker
  plimsoll gate docker --watch-only --end-running`,
		Args: cobra.NoArgs,
	}
	gate := gateFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&socket, "socket", dockerauthz.DefaultSocket, "the plugin's socket")
	f.StringVar(&host, "host", "", "the daemon (default: DOCKER_HOST)")
	f.BoolVar(&opts.NoBuilds, "no-builds", false, "deny builds on this daemon")
	f.BoolVar(&opts.Plugins, "allow-plugins", false, "let Docker plugins be installed")
	f.BoolVar(&watchOnly, "watch-only", false, "only watch and end, without the plugin")
	f.BoolVar(&running, "end-running", false, "end what runs already and is denied")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return serve(cmd, *gate, func(ctx context.Context, _ *Config, g *admission.Gate, log *slog.Logger) error {
			engine, err := docker.Dial(host)
			if err != nil {
				return err
			}
			defer engine.Close()
			watcher := &dockerauthz.Watcher{Gate: g, Daemon: engine, Running: running, Log: log}
			if watchOnly {
				return watcher.Run(ctx)
			}
			listener, err := dockerauthz.Listen(socket)
			if err != nil {
				return err
			}
			opts.Log = log
			go func() { _ = watcher.Run(ctx) }() // ends with the context
			return dockerauthz.New(g, engine, opts).Serve(ctx, listener)
		})
	}
	return cmd
}

func newGateNRI() *cobra.Command {
	var opts nri.Options
	cmd := &cobra.Command{
		Use:   "nri",
		Short: "Be containerd's NRI plugin",
		Long: `Be an NRI plugin of containerd 2.2 or later. Name it in required_plugins of the default validator in containerd's
configuration, so that nothing starts while it is not there; the documentation of package admission/nri has the lines.`,
		Example: `  plimsoll gate nri
  plimsoll gate nri --socket /var/run/nri/nri.sock --exempt kube-system`,
		Args: cobra.NoArgs,
	}
	gate := gateFlag(cmd)
	cmd.Flags().StringVar(&opts.Socket, "socket", "", "containerd's socket for plugins (default /var/run/nri/nri.sock)")
	cmd.Flags().StringSliceVar(&opts.Exempt, "exempt", nil, "namespaces whose pods are not judged")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return serve(cmd, *gate, func(ctx context.Context, _ *Config, g *admission.Gate, log *slog.Logger) error {
			opts.Log = log
			return nri.New(g, opts).Run(ctx)
		})
	}
	return cmd
}

func newGateWebhook() *cobra.Command {
	var listen, cert, key string
	var opts webhook.Options
	cmd := &cobra.Command{
		Use:   "webhook --tls-cert FILE --tls-key FILE",
		Short: "Be Kubernetes' admission webhook for pods",
		Long: `Serve /validate and /mutate for Kubernetes. The certificate is read again when its file changes. The manifests are in
examples/kubernetes.`,
		Example: `  plimsoll gate webhook --tls-cert /tls/tls.crt --tls-key /tls/tls.key --exempt plimsoll-system`,
		Args:    cobra.NoArgs,
	}
	gate := gateFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&listen, "listen", ":8443", "address to serve at")
	f.StringVar(&cert, "tls-cert", "", "certificate in PEM")
	f.StringVar(&key, "tls-key", "", "its key in PEM")
	f.StringSliceVar(&opts.Exempt, "exempt", nil, "namespaces whose pods are not judged")
	f.BoolVar(&opts.Tags, "allow-tags", false, "let pods in that name images by tag")
	_ = cmd.MarkFlagRequired("tls-cert")
	_ = cmd.MarkFlagRequired("tls-key")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return serve(cmd, *gate, func(ctx context.Context, config *Config, g *admission.Gate, log *slog.Logger) error {
			client := config.Registry()
			defer client.Close()
			opts.Log = log
			certificate := &webhook.Certificate{CertFile: cert, KeyFile: key}
			server := &http.Server{
				Addr: listen, ReadHeaderTimeout: 10 * time.Second,
				Handler:   webhook.New(g, remote.Resolver{Client: client}, opts),
				TLSConfig: &tls.Config{GetCertificate: certificate.Get, MinVersion: tls.VersionTLS12},
			}
			stop := context.AfterFunc(ctx, func() { _ = server.Close() })
			defer stop()
			if err := server.ListenAndServeTLS("", ""); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	return cmd
}

// ExitError ends a program with a code and no further words.
type ExitError int

func (e ExitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func newGateVerifier() *cobra.Command {
	return &cobra.Command{
		Use:   "verifier -name NAME -digest DIGEST -stdin-media-type TYPE",
		Short: "Be containerd's image verifier, which keeps denied images from being pulled",
		Long: `Be a program of containerd's bindir image verifier. containerd runs what lies in its directory without arguments of yours,
so put a script there: exec plimsoll gate verifier "$@"`,
		Example:            `  plimsoll gate verifier -name registry.example/pay:1 -digest sha256:... -stdin-media-type application/vnd.oci.descriptor.v1+json`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := Load(configPath(""))
			if err != nil {
				return err
			}
			gate, closeGate, err := config.Gate(true, nil)
			if err != nil {
				return err
			}
			defer func() { _ = closeGate() }()
			if code := verifier.Run(cmd.Context(), gate, args, cmd.OutOrStdout()); code != 0 {
				return ExitError(code)
			}
			return nil
		},
	}
}

func writeMetrics(path string, report *sweep.Report) error {
	var out bytes.Buffer
	if err := report.WriteMetrics(&out); err != nil {
		return err
	}
	return distribution.WriteFile(path, out.Bytes(), 0o644)
}
