// Package main starts an etcd server: upstream keeps its own main package in a module that replaces
// its siblings by paths, which only a clone of that repository can build.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
