//go:build unix && !linux

package realtest

import "syscall"

// dieWithParent does nothing: only Linux offers this. A test run that dies
// without its cleanups may leave its servers behind on other systems.
func dieWithParent(*syscall.SysProcAttr) {}
