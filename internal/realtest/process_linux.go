package realtest

import "syscall"

// dieWithParent makes the kernel kill the child when this process dies without
// having run its cleanups, as it does when a test run times out.
func dieWithParent(attributes *syscall.SysProcAttr) {
	attributes.Pdeathsig = syscall.SIGKILL
}
