package catalog_test

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

func TestRepositories(t *testing.T) {
	r, err := catalog.ParseRepositories("https://git.example/team/pay", "https://git.example/shop/*")
	if err != nil {
		t.Fatal(err)
	}
	for repository, want := range map[string]bool{
		"https://git.example/team/pay":           true,
		"git@git.example:team/pay.git":           true,
		"https://git.example/shop/cart":          true,
		"https://git.example/shop":               false,
		"https://git.example/shop/deep/cart":     false,
		"https://git.example/shop-evil/cart":     false,
		"https://git.example.evil/team/pay":      false,
		"https://git.example/team/pay/../secret": false,
		"https://git.example@evil/team/pay":      false,
		"":                                       false,
	} {
		if got := r.Has(repository); got != want {
			t.Errorf("%s: got %v", repository, got)
		}
	}
	if (catalog.Repositories{}).Has("https://git.example/team/pay") {
		t.Error("none has one")
	}
	for _, bad := range []string{"", "*", "https://git.example/*", "https://*/team/pay", "https://git.example/te*m/pay", "team/pay"} {
		if _, err := catalog.ParseRepositories(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
