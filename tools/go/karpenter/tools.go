//go:build tools

// Package tools keeps Karpenter's core with its kwok provider in go.mod.
package tools

import _ "sigs.k8s.io/karpenter/kwok"
