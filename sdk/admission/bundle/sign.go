package bundle

import "context"

// Signer makes a DSSE envelope (https://github.com/secure-systems-lab/dsse) over a payload. Package attest's signing
// keys do, by way of package admission/keys.
type Signer interface {
	Sign(ctx context.Context, payloadType string, payload []byte) (envelope []byte, err error)
}

// Verifier returns an envelope's payload if a key that is trusted to sign this type of payload did, and an error
// otherwise.
type Verifier interface {
	Verify(ctx context.Context, payloadType string, envelope []byte) (payload []byte, err error)
}
