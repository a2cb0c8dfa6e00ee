package homes

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"

	"github.com/docker/go-connections/tlsconfig"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
)

// DockerOptions are those of the daemon that the environment means, as the docker command reads it: DOCKER_HOST, and for a
// tcp address DOCKER_TLS_VERIFY and DOCKER_CERT_PATH (default ~/.docker), a directory with ca.pem, cert.pem and key.pem.
// With either of the two, the daemon's certificate is always verified.
func DockerOptions() (docker.Options, error) {
	options := docker.Options{Host: os.Getenv("DOCKER_HOST")}
	dir := os.Getenv("DOCKER_CERT_PATH")
	if dir == "" && os.Getenv("DOCKER_TLS_VERIFY") == "" {
		return options, nil
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return options, err
		}
		dir = filepath.Join(home, ".docker")
	}
	var err error
	options.TLS, err = tlsconfig.Client(tlsconfig.Options{
		CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
		MinVersion: tls.VersionTLS12, ExclusiveRootPools: true,
	})
	if err != nil {
		return options, fmt.Errorf("the certificates of the Docker daemon in %s (DOCKER_CERT_PATH): %w", dir, err)
	}
	return options, nil
}
