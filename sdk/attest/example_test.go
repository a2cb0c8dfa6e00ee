package attest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

// A key is made once and kept encrypted; whoever verifies has its public half.
func ExampleKeys_Verify() {
	ctx := context.Background()
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		log.Fatal(err)
	}
	bundle, err := key.Sign(ctx, "text/plain", []byte("all is well"))
	if err != nil {
		log.Fatal(err)
	}

	public, err := attest.LoadPublicKey(key.Public().PEM())
	if err != nil {
		log.Fatal(err)
	}
	trusted := attest.Keys{{Name: "build service 2026", Key: public, Until: time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC)}}
	by, err := trusted.Verify(ctx, bundle, time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	fmt.Println(by, err)
	_, err = trusted.Verify(ctx, bundle, time.Date(2027, 11, 25, 0, 0, 0, 0, time.UTC))
	fmt.Println(err)
	// Output:
	// build service 2026 <nil>
	// not signed by anyone trusted: the key build service 2026 was trusted until 2027-07-01T00:00:00Z, and it is 2027-11-25T00:00:00Z
}
