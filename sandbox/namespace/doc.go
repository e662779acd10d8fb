// Package namespace is the embedded backend: cells made of Linux namespaces, each
// with a warm interpreter that is forked for every execution. It needs neither
// root nor a daemon.
//
// A cell is a process in user, pid, mount, network, ipc and uts namespaces of its
// own, whose root holds just what Python needs, read-only. The interpreter in it,
// the zygote, has loaded the scientific packages once. For every execution it
// forks a child into fresh pid, mount and ipc namespaces, which gives itself a
// private /tmp, the session's work folder and the task's files, drops what rights
// it has, and runs the program as the first process of its namespace. When that
// process ends or a limit is met, the kernel kills all that it started.
//
// Precedents are the zygotes of Android and of SOCK (Oakes et al., ATC 2018).
//
// The program that uses this package must call Init first thing in main: a cell
// begins as a copy of the program.
package namespace
