package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/scripts/internal/install"
)

// ollamaModule is what is built. As every module it comes without the folders named
// vendor, and so without three libraries of headers.
const ollamaModule = "github.com/ollama/ollama@v0.17.4"

var (
	//go:embed headers.lock
	headersLock []byte
	//go:embed sources.lock
	sourcesLock []byte
	//go:embed ollama.tmpl
	ollamaTemplate string
)

// ollama starts Ollama, built here.
type ollama struct{ program string }

// prepareOllama builds it, once: about five minutes of two cores, a C++ compiler and
// Debian's libstb-dev, which is downloaded where it is not installed.
func prepareOllama(ctx context.Context, log io.Writer) (launcher, error) {
	headers, err := install.Pip(ctx, "ollama-headers", headersLock, log)
	if err != nil {
		return nil, err
	}
	content := ollamaModule + string(headersLock) + string(sourcesLock)
	dir, err := install.Folder("ollama", content, func(work string) error {
		fmt.Fprintln(log, "servers: building Ollama, which takes minutes")
		include := filepath.Join(work, "include")
		json := os.DirFS(filepath.Join(headers.Site, "nlohmann_json", "include"))
		if err := os.CopyFS(include, json); err != nil {
			return err
		}
		if err := miniaudio(ctx, headers.Executable, include, log); err != nil {
			return err
		}
		if err := stb(ctx, include, log); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", ollamaModule)
		cmd.Dir, cmd.Stdout, cmd.Stderr = work, log, log
		cmd.Env = append(os.Environ(), "GOBIN="+work, "GOFLAGS=-mod=mod", "CGO_ENABLED=1", "CGO_CPPFLAGS=-I"+include, "CGO_CFLAGS=-O2 -w", "CGO_CXXFLAGS=-O2 -w")
		return cmd.Run()
	})
	return ollama{filepath.Join(dir, "ollama")}, err
}

// miniaudio puts the header of this name into include.
func miniaudio(ctx context.Context, python, include string, log io.Writer) (err error) {
	temp, err := os.MkdirTemp("", "miniaudio-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	lock := filepath.Join(temp, "lock")
	if err := os.WriteFile(lock, sourcesLock, 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, python, "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
		"--no-binary", ":all:", "--require-hashes", "--dest", temp, "--requirement", lock)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pip download: %w", err)
	}
	archives, err := filepath.Glob(filepath.Join(temp, "miniaudio-*.tar.gz"))
	if err != nil || len(archives) != 1 {
		return errors.Join(errors.New("pip downloaded no source of miniaudio"), err)
	}
	return extract(archives[0], "/miniaudio/miniaudio.h", filepath.Join(include, "miniaudio", "miniaudio.h"))
}

// extract writes the file of a .tar.gz whose name ends so.
func extract(archive, suffix, to string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(archive), err)
		}
		if !strings.HasSuffix(header.Name, suffix) {
			continue
		}
		text, err := io.ReadAll(files)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o644)
	}
}

// stb puts the headers of Debian's libstb-dev into include, where they are not
// installed.
func stb(ctx context.Context, include string, log io.Writer) (err error) {
	if _, err := os.Stat("/usr/include/stb/stb_image.h"); err == nil {
		return nil
	}
	temp, err := os.MkdirTemp("", "stb-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	download := exec.CommandContext(ctx, "apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "libstb-dev")
	download.Dir, download.Stdout, download.Stderr = temp, log, log
	if err := download.Run(); err != nil {
		return fmt.Errorf("libstb-dev is not installed, and apt-get download does not get it: %w", err)
	}
	packages, err := filepath.Glob(filepath.Join(temp, "*.deb"))
	if err != nil || len(packages) != 1 {
		return errors.Join(errors.New("apt-get downloaded no libstb-dev"), err)
	}
	unpack := exec.CommandContext(ctx, "dpkg-deb", "-x", packages[0], temp)
	unpack.Stdout, unpack.Stderr = log, log
	if err := unpack.Run(); err != nil {
		return fmt.Errorf("dpkg-deb: %w", err)
	}
	return os.CopyFS(filepath.Join(include, "stb"), os.DirFS(filepath.Join(temp, "usr", "include", "stb")))
}

func (o ollama) command(ctx context.Context, state, _ string, port, _ int) *exec.Cmd {
	cmd := exec.CommandContext(ctx, o.program, "serve")
	cmd.Env = append(os.Environ(), "HOME="+state, fmt.Sprintf("OLLAMA_HOST=127.0.0.1:%d", port), "OLLAMA_MODELS="+filepath.Join(state, "models"),
		fmt.Sprintf("OLLAMA_NUM_PARALLEL=%d", slots), "OLLAMA_KEEP_ALIVE=30m", "OLLAMA_NO_CLOUD=1", "OLLAMA_NOPRUNE=1")
	return cmd
}

// ready makes the model from its file, with its template and the length of its
// context, as a Modelfile would.
func (o ollama) ready(ctx context.Context, base, model string, context int) error {
	file, err := os.ReadFile(model)
	if err != nil {
		return err
	}
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(file))
	if err := post(ctx, base+"/api/blobs/"+digest, file); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"model": modelName, "files": map[string]string{"noise.gguf": digest}, "template": ollamaTemplate,
		"parameters": map[string]any{"num_ctx": context, "num_thread": 1, "stop": []string{"<|end|>"}}, "stream": false})
	if err != nil {
		return err
	}
	return post(ctx, base+"/api/create", body)
}

var ollamaBegun = regexp.MustCompile(`\[GIN\].* POST +"/v1/chat/completions"`)

func (ollama) begun() *regexp.Regexp { return ollamaBegun }

func post(ctx context.Context, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil || res.StatusCode/100 != 2 {
		return errors.Join(fmt.Errorf("POST %s: status %d: %s", url, res.StatusCode, text), err)
	}
	return nil
}
