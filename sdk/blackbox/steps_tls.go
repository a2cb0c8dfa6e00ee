package blackbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

var tlsVersions = map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func tlsSteps() []Step {
	const group = "TLS"
	const started = "When an instance is started\nThen within 10 seconds "
	return []Step{
		instanceStep(group, "port {int} speaks TLS", "Passes when a TLS handshake with the port succeeds. The certificate is not verified.",
			started+"port 8443 speaks TLS",
			func(ctx context.Context, i *instance, a Args) error {
				_, err := handshake(ctx, i, a.Int(0), &tls.Config{})
				return err
			}).within(),
		instanceStep(group, "port {int} speaks TLS {string} or newer", "Passes when a TLS handshake succeeds with this version or a newer one.",
			started+"port 8443 speaks TLS \"1.2\" or newer",
			func(ctx context.Context, i *instance, a Args) error {
				version, err := tlsVersion(a.String(1))
				if err != nil {
					return err
				}
				_, err = handshake(ctx, i, a.Int(0), &tls.Config{MinVersion: version})
				return err
			}).within(),
		instanceStep(group, "port {int} refuses TLS older than {string}", "Passes when the port speaks TLS, but no handshake succeeds with an older version.",
			started+"port 8443 refuses TLS older than \"1.2\"",
			func(ctx context.Context, i *instance, a Args) error {
				version, err := tlsVersion(a.String(1))
				if err != nil {
					return err
				}
				if _, err := handshake(ctx, i, a.Int(0), &tls.Config{MinVersion: version}); err != nil {
					return err
				}
				state, err := handshake(ctx, i, a.Int(0), &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version - 1}) //nolint:gosec // old versions are what is looked for
				if err != nil {
					return nil //nolint:nilerr // a refusal is what the step expects
				}
				return &Mismatch{What: fmt.Sprintf("port %d", a.Int(0)), Expected: "no TLS older than " + a.String(1), Found: tls.VersionName(state.Version)}
			}).within(),
		instanceStep(group, "the certificate of port {int} is for the name {string}", "Passes when the port's certificate holds for the host name.",
			started+"the certificate of port 8443 is for the name \"service.example\"",
			func(ctx context.Context, i *instance, a Args) error {
				c, err := certificate(ctx, i, a)
				if err != nil {
					return err
				}
				return expect(c.VerifyHostname(a.String(1)) == nil, fmt.Sprintf("the certificate of port %d", a.Int(0)), a.String(1), list(c.DNSNames))
			}).within(),
		{
			Group: group, Kind: KindInstance, Within: true, Expression: "the certificate of port {int} is valid for {duration} more",
			Doc:     "Passes when the port's certificate has begun to hold and ends later than that.",
			Example: started + "the certificate of port 8443 is valid for 1 day more",
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				i, err := s.instance("")
				if err != nil {
					return err
				}
				c, err := certificate(ctx, i, a)
				if err != nil {
					return err
				}
				now := s.run.options.Now()
				ok := !now.Before(c.NotBefore) && now.Add(a.Duration(1)).Before(c.NotAfter)
				found := fmt.Sprintf("from %s to %s", c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
				return expect(ok, fmt.Sprintf("the certificate of port %d", a.Int(0)), "valid for "+a.Duration(1).String()+" more", found)
			},
		},
	}
}

func tlsVersion(name string) (uint16, error) {
	version, ok := tlsVersions[name]
	if !ok {
		return 0, fmt.Errorf("%q is no version of TLS: there are %s", name, list(sortedKeys(tlsVersions)))
	}
	return version, nil
}

// handshake connects and returns what was agreed on.
func handshake(ctx context.Context, i *instance, port int, config *tls.Config) (tls.ConnectionState, error) {
	conn, err := i.Dial(ctx, "tcp", port)
	if err != nil {
		return tls.ConnectionState{}, fmt.Errorf("port %d: expected a connection: %w", port, err)
	}
	config.InsecureSkipVerify = true   // looked at, not trusted
	client := tls.Client(conn, config) // closing it closes conn
	defer client.Close()
	if err := client.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, fmt.Errorf("port %d: expected a TLS handshake: %w", port, err)
	}
	return client.ConnectionState(), nil
}

func certificate(ctx context.Context, i *instance, a Args) (*x509.Certificate, error) {
	state, err := handshake(ctx, i, a.Int(0), &tls.Config{})
	if err != nil {
		return nil, err
	}
	if len(state.PeerCertificates) == 0 {
		return nil, errors.New("the port speaks TLS without a certificate")
	}
	return state.PeerCertificates[0], nil
}
