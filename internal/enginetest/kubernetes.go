package enginetest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
)

// Kubernetes is an API server of a test's own with its etcd: everything about pods but nodes that run them. It has no
// controllers and no service accounts, and its only user may do everything.
type Kubernetes struct {
	// URL is "https://127.0.0.1:port".
	URL string
	// Kubeconfig is a file for kubectl.
	Kubeconfig string

	t    testing.TB
	http *http.Client
}

const kubernetesToken = "test-token"

// StartKubernetes starts one. It needs kube-apiserver, etcd and kubectl: see [testenv.NeedsKubernetes].
func StartKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	apiserver, etcd := testenv.NeedsKubernetes(t)
	dir := t.TempDir()
	ports := freePorts(t, 3)
	store := "http://127.0.0.1:" + ports[0]
	run(t, etcd, "--data-dir", dir+"/etcd", "--listen-client-urls", store, "--advertise-client-urls", store,
		"--listen-peer-urls", "http://127.0.0.1:"+ports[1], "--unsafe-no-fsync")
	tokens := filepath.Join(dir, "tokens.csv")
	write(t, tokens, kubernetesToken+`,ops,1,"system:masters"`+"\n")
	key := filepath.Join(dir, "sa.key")
	if out, err := exec.CommandContext(t.Context(), "openssl", "genrsa", "-out", key, "2048").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	k := &Kubernetes{URL: "https://127.0.0.1:" + ports[2], Kubeconfig: filepath.Join(dir, "kubeconfig"), t: t}
	run(t, apiserver, "--etcd-servers", store, "--bind-address", "127.0.0.1", "--secure-port", ports[2], "--cert-dir", dir+"/certs",
		"--token-auth-file", tokens, "--authorization-mode", "AlwaysAllow", "--service-account-issuer", "https://kubernetes.test",
		"--service-account-key-file", key, "--service-account-signing-key-file", key, "--service-cluster-ip-range", "10.0.0.0/24",
		"--disable-admission-plugins", "ServiceAccount")
	certificate := filepath.Join(dir, "certs", "apiserver.crt")
	Eventually(t, "kube-apiserver has its certificate", func() bool { return k.trust(certificate) })
	Eventually(t, "kube-apiserver is ready", func() bool {
		code, _ := k.Do(http.MethodGet, "/readyz", nil)
		return code == http.StatusOK
	})
	Eventually(t, "there is a default namespace", func() bool {
		code, _ := k.Do(http.MethodGet, "/api/v1/namespaces/default", nil)
		return code == http.StatusOK
	})
	write(t, k.Kubeconfig, fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: ops, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: ops}}]
current-context: test
`, k.URL, certificate, kubernetesToken))
	return k
}

func (k *Kubernetes) trust(certificate string) bool {
	pem, err := os.ReadFile(certificate)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		return false
	}
	k.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	return true
}

// Do sends an object (nil for none) and returns the status and what was answered; 0 where nobody answered.
func (k *Kubernetes) Do(method, path string, object any) (int, string) {
	k.t.Helper()
	var body io.Reader
	if object != nil {
		raw, err := json.Marshal(object)
		if err != nil {
			k.t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(k.t.Context(), method, k.URL+path, body)
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+kubernetesToken)
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/strategic-merge-patch+json")
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(answer)
}

// Kubectl runs kubectl and returns what it printed, and its error.
func (k *Kubernetes) Kubectl(stdin string, args ...string) (string, error) {
	k.t.Helper()
	kubectl, err := exec.LookPath("kubectl")
	if dir := os.Getenv("PLIMSOLL_KUBERNETES"); dir != "" {
		kubectl, err = exec.LookPath(filepath.Join(dir, "kubectl"))
	}
	if err != nil {
		k.t.Fatal(err)
	}
	cmd := exec.CommandContext(k.t.Context(), kubectl, append([]string{"--kubeconfig", k.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run starts a program that ends with the test, and shows the end of its output if that failed.
func run(t testing.TB, program string, args ...string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(program), tail(log.String(), 4000))
		}
	})
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePorts(t testing.TB, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}
