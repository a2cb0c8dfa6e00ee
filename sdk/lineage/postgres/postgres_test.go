package postgres_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/lineagetest"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/postgres"
)

var schemas atomic.Int64

// schema makes a schema and returns the address that means it: much faster than a database for each test.
func schema(t *testing.T, server string) string {
	t.Helper()
	name := fmt.Sprintf("lineage%d", schemas.Add(1))
	c, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery += "&search_path=" + name
	return u.String()
}

func open(t *testing.T, address string) lineage.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), address, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestConformance(t *testing.T) {
	server := testenv.Postgres(t)
	lineagetest.Run(t, func(t *testing.T) lineage.Store { return open(t, schema(t, server)) })
	t.Run("two programs at a time", func(t *testing.T) {
		address := schema(t, server)
		lineagetest.Together(t, open(t, address), open(t, address))
	})
	t.Run("a schema that is newer", func(t *testing.T) {
		address := schema(t, server)
		_ = open(t, address)
		c, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(t.Context())
		if _, err := c.Exec(t.Context(), "INSERT INTO lineage_schema VALUES (99)"); err != nil {
			t.Fatal(err)
		}
		_, err = postgres.Open(t.Context(), address, postgres.Options{})
		if err == nil || !strings.Contains(err.Error(), "its schema has version 99") {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpenSaysWhatIsWrongAndNoPassword(t *testing.T) {
	for _, address := range []string{
		"postgres://plimsoll:hunter2@127.0.0.1:1/plimsoll?connect_timeout=2", "postgres://plimsoll:hunter2@127.0.0.1:port/x", "host=127.0.0.1 port=1 password=hunter2 sslmode=never",
	} {
		_, err := postgres.Open(t.Context(), address, postgres.Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", address, err)
		}
	}
}
