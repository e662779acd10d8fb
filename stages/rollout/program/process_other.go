//go:build !linux

package program

import "syscall"

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// awaitEnd cannot wait here and leave a child to be waited for.
func awaitEnd(int) bool { return false }
