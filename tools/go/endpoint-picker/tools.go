//go:build tools

// Package tools keeps endpoint-picker in go.mod.
package tools

import (
	_ "sigs.k8s.io/gateway-api-inference-extension/cmd/epp"
	_ "sigs.k8s.io/gateway-api-inference-extension/cmd/bbr"
)
