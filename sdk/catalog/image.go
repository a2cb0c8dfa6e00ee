package catalog

// ImageConfig is what a registry says about an image reference on one platform. Package registry's client gathers it,
// package definition/inputs works with it; nothing here talks to a registry.
type ImageConfig struct {
	// Ref is the reference that was asked for.
	Ref string
	// Digest is what Ref means now: the digest of the index or of the manifest that it names ("sha256:...").
	Digest string
	// Manifest is the digest of the platform's manifest. It equals Digest when Ref names a manifest.
	Manifest string
	// Platform is what the image says of itself, "linux/amd64" or "linux/arm/v7". It differs from the platform that was
	// asked for when Ref names a single manifest for another one.
	Platform string
	// Config is the image's config, the JSON as the registry has it.
	Config []byte
}
