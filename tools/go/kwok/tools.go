//go:build tools

// Package tools keeps the fake kubelet's command in go.mod.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
