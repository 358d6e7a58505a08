//go:build tools

// Package tools keeps kgateway in go.mod.
package tools

import (
	_ "github.com/kgateway-dev/kgateway/v2/cmd/kgateway"
)
