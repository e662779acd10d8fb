package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/medgym-data/medgym-data/scripts/internal/lab"
)

// image is what scripts/build-image.sh builds for this environment.
func (b *bench) image(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return "", fmt.Errorf("%w: apt-get install docker.io", errMissing)
	}
	image := "medgym-sandbox:" + b.env.Lock[:12]
	out, err := exec.CommandContext(ctx, "docker", "image", "inspect", "--format", "{{.Id}}", image).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s: scripts/build-image.sh builds it", errMissing, strings.TrimSpace(string(out)))
	}
	return image, nil
}

// containerArgs are those of a container that is closed as far as options go.
func (b *bench) containerArgs() ([]string, error) {
	cores, err := affinity()
	if err != nil {
		return nil, err
	}
	args := []string{"--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--user", "65534:65534", "--log-driver", "none", "--cpuset-cpus", list(cores), "--volume", b.work + ":/workdir:ro"}
	for _, v := range variables("/opt/env") {
		args = append(args, "--env", v)
	}
	return args, nil
}

// bindContainers binds those of a pool to this process's cores: the engine starts them
// on all.
func bindContainers(ctx context.Context, backend string) error {
	containers := lab.Containers(backend, os.Getpid())
	if len(containers) == 0 {
		return nil
	}
	cores, err := affinity()
	if err != nil {
		return err
	}
	args := append([]string{"update", "--cpuset-cpus", list(cores)}, containers...)
	if out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("bind containers to cores %s: %w: %s", list(cores), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func startDockerRun(ctx context.Context, b *bench, workers int) (crew, error) {
	image, err := b.image(ctx)
	if err != nil {
		return crew{}, err
	}
	args, err := b.containerArgs()
	if err != nil {
		return crew{}, err
	}
	return same(workers, nothing, func(ctx context.Context, p program) error {
		run := append([]string{"run", "--rm"}, args...)
		return printed(ctx, p, os.Environ(), "docker", append(run, image, "python3", "/workdir/"+p.name+".py")...)
	}), nil
}

func startDockerExec(ctx context.Context, b *bench, workers int) (crew, error) {
	image, err := b.image(ctx)
	if err != nil {
		return crew{}, err
	}
	args, err := b.containerArgs()
	if err != nil {
		return crew{}, err
	}
	run := append([]string{"run", "--detach", "--rm", "--init"}, args...)
	out, err := exec.CommandContext(ctx, "docker", append(run, image, "sleep", "infinity")...).Output()
	if err != nil {
		return crew{}, fmt.Errorf("start a container: %w", errors.Join(err, stderrOf(err)))
	}
	id := strings.TrimSpace(string(out))
	end := func() error {
		return exec.CommandContext(context.WithoutCancel(ctx), "docker", "rm", "--force", id).Run()
	}
	return same(workers, end, func(ctx context.Context, p program) error {
		return printed(ctx, p, os.Environ(), "docker", "exec", id, "python3", "/workdir/"+p.name+".py")
	}), nil
}

// stderrOf is what a command that failed has said.
func stderrOf(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	return nil
}
