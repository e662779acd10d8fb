package backend

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/medgym-data/medgym-data/sandbox"
)

// Landlock is the version of the kernel's Landlock, 0 where it has none or it is off.
// What each version adds: 2 renames across folders, 3 truncation, 4 TCP ports, 5 device
// controls, 6 signals and abstract Unix sockets, 7 silence in the audit log.
func Landlock() int {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
}

// LandlockControl says how the control of that name is kept.
func LandlockControl() sandbox.Control {
	c := sandbox.Control{Name: "landlock"}
	switch version := Landlock(); {
	case version == 0:
		c.Gap = "this kernel has none: Linux 6.12 with landlock in its list lsm= has all that is used"
	case version < 6:
		c.How = fmt.Sprintf("ABI %d", version)
		c.Gap = "not for signals and abstract Unix sockets: Linux 6.12 has that"
		if version < 4 {
			c.Gap = "only for files: Linux 6.12 has ports, signals and abstract Unix sockets"
		}
	default:
		c.How = fmt.Sprintf("ABI %d", version)
	}
	return c
}
