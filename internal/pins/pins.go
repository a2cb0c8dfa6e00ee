//go:build pins

// Package pins holds, while several people add packages at once, the versions of modules that are about to be imported.
package pins

import (
	_ "dagger.io/dagger"
	_ "github.com/CycloneDX/cyclonedx-go"
	_ "github.com/cloudevents/sdk-go/v2"
	_ "github.com/compose-spec/compose-go/v2/cli"
	_ "github.com/containerd/nri/pkg/stub"
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "github.com/danielgtaylor/huma/v2"
	_ "github.com/docker/buildx/bake"
	_ "github.com/in-toto/attestation/go/v1"
	_ "github.com/jackc/pgx/v5"
	_ "github.com/nicholas-fedor/shoutrrr"
	_ "github.com/open-policy-agent/opa/v1/rego"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/riverqueue/river"
	_ "github.com/riverqueue/river/riverdriver/riverpgxv5"
	_ "github.com/riverqueue/river/riverdriver/riversqlite"
	_ "github.com/secure-systems-lab/go-securesystemslib/dsse"
	_ "github.com/sigstore/sigstore-go/pkg/bundle"
	_ "github.com/sigstore/sigstore-go/pkg/verify"
	_ "github.com/sigstore/sigstore/pkg/signature"
	_ "github.com/spdx/tools-golang/spdx"
	_ "golang.org/x/time/rate"
	_ "k8s.io/client-go/kubernetes"
)
