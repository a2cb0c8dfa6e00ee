package postgres_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage/postgres"
)

// Many machines share one graph. Where the database does not answer, the error says so.
func Example() {
	store, err := postgres.Open(context.Background(), "postgres://plimsoll@127.0.0.1:1/plimsoll", postgres.Options{})
	if err != nil {
		fmt.Println(strings.Contains(err.Error(), "lineage in PostgreSQL database plimsoll at 127.0.0.1"))
		return
	}
	defer store.Close()
	// Output:
	// true
}
