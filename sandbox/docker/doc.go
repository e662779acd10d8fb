// Package docker is the backend that runs programs in containers of a Docker engine
// on this machine, API 1.41 or newer.
//
// A container serves one session and is destroyed after it. It runs the supervisor of
// sandbox/python/container.py as its process 1, with the warm interpreters that the
// namespace backend has too, and is spoken to over one attached stream: there is no
// docker exec. When the stream ends, the supervisor ends, and the engine removes the
// container; what remains all the same, of a machine or an engine that died, is found
// by its label and removed by the next process.
//
// Containers are started ahead of sessions, in the background. What a container is
// made with cannot be changed later: its limits and the host's files that are bound
// into it. Sessions that ask for the same share a pool, as those of one source do.
package docker
