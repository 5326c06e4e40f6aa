//go:build !race

package main

// racing says whether the race detector watches.
const racing = false
