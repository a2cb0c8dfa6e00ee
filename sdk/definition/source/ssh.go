package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"
)

// sshSession speaks git's upload-pack or receive-pack over SSH. It is here because go-git's own one looks into ~/.ssh and the
// environment and can't be cancelled while it connects.
type sshSession struct {
	client     *ssh.Client
	session    *ssh.Session
	in         io.WriteCloser
	out        io.Reader
	problem    *lastBytes // what the server says on stderr
	advertised *packp.AdvRefs
	stop       func() bool
}

// connectSSH logs in and starts a service of git's. Cancelling ctx closes the connection, whatever is going on.
func connectSSH(ctx context.Context, at location, auth Auth, service string) (*sshSession, error) {
	if auth.Signers == nil {
		return nil, fmt.Errorf("%w: SSH needs a key (Auth.Signers)", ErrLogin)
	}
	if auth.HostKey == nil {
		return nil, fmt.Errorf("%w: SSH needs to know the server's key (Auth.HostKey)", ErrInsecure)
	}
	if auth.User == "" {
		auth.User = "git"
	}
	host, port := at.url.Hostname(), at.url.Port()
	if port == "" {
		port = "22"
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	s := &sshSession{problem: &lastBytes{}, advertised: packp.NewAdvRefs()}
	s.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	clientConn, channels, requests, err := ssh.NewClientConn(conn, net.JoinHostPort(host, port), &ssh.ClientConfig{
		User:              auth.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(auth.Signers)},
		HostKeyCallback:   auth.HostKey,
		HostKeyAlgorithms: auth.HostKeyAlgorithms,
	})
	if err != nil {
		s.stop()
		return nil, errors.Join(loginError(err), conn.Close())
	}
	s.client = ssh.NewClient(clientConn, channels, requests)
	if err := s.start(service, at.path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func loginError(err error) error {
	if strings.Contains(err.Error(), "unable to authenticate") { // x/crypto/ssh has no type for it
		return fmt.Errorf("%w: %w", ErrLogin, err)
	}
	return err
}

func (s *sshSession) start(service, path string) error {
	var err error
	if s.session, err = s.client.NewSession(); err != nil {
		return err
	}
	if s.in, err = s.session.StdinPipe(); err != nil {
		return err
	}
	if s.out, err = s.session.StdoutPipe(); err != nil {
		return err
	}
	s.session.Stderr = s.problem
	quoted := "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(path) + "'" // as git quotes it
	return s.session.Start(service + " " + quoted)
}

// AdvertisedReferences is AdvertisedReferencesContext.
func (s *sshSession) AdvertisedReferences() (*packp.AdvRefs, error) {
	return s.AdvertisedReferencesContext(context.Background())
}

// AdvertisedReferencesContext reads what the server sends first.
func (s *sshSession) AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error) {
	err := s.advertised.Decode(s.out)
	var told *pktline.ErrorLine
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, packp.ErrEmptyAdvRefs), err == nil && s.advertised.IsEmpty():
		return nil, transport.ErrEmptyRemoteRepository
	case errors.As(err, &told):
		return nil, fmt.Errorf("%w: the server says %q", ErrNoRepository, told.Text)
	case errors.Is(err, packp.ErrEmptyInput):
		_ = s.session.Wait() // so that all of stderr is there
		return nil, fmt.Errorf("%w: the server says %q", ErrNoRepository, s.problem.String())
	case err != nil:
		return nil, err
	}
	transport.FilterUnsupportedCapabilities(s.advertised.Capabilities)
	return s.advertised, nil
}

// UploadPack asks for objects.
func (s *sshSession) UploadPack(_ context.Context, request *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if err := request.UploadRequest.Encode(s.in); err != nil {
		return nil, err
	}
	if err := request.UploadHaves.Encode(s.in, true); err != nil {
		return nil, err
	}
	if err := pktline.NewEncoder(s.in).EncodeString("done\n"); err != nil {
		return nil, err
	}
	response := packp.NewUploadPackResponse(request)
	return response, response.Decode(io.NopCloser(s.out))
}

// ReceivePack gives objects to the server and has it update references.
func (s *sshSession) ReceivePack(_ context.Context, request *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error) {
	if err := request.Encode(s.in); err != nil {
		return nil, err
	}
	if err := s.in.Close(); err != nil {
		return nil, err
	}
	answer := s.out
	if request.Capabilities.Supports(capability.Sideband64k) {
		demuxer := sideband.NewDemuxer(sideband.Sideband64k, s.out)
		demuxer.Progress = request.Progress
		answer = demuxer
	}
	report := packp.NewReportStatus()
	if err := report.Decode(answer); err != nil {
		return nil, err
	}
	return report, report.Error()
}

// Close ends the connection.
func (s *sshSession) Close() error {
	s.stop()
	if err := s.client.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// lastBytes keeps the last part of what is written to it.
type lastBytes struct{ buf bytes.Buffer }

func (l *lastBytes) Write(p []byte) (int, error) {
	const limit = 1 << 10
	if l.buf.Len() > limit {
		l.buf.Next(l.buf.Len() - limit)
	}
	return l.buf.Write(p)
}

func (l *lastBytes) String() string { return strings.TrimSpace(l.buf.String()) }
