//go:build tools

// Package tools names the command that is built, so that go.sum covers it.
package tools

import _ "github.com/envoyproxy/ratelimit/src/service_cmd"
