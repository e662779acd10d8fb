# CI calls only these targets. Tools are pinned and run through the module proxy.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0
VULNDB ?= https://vuln.go.dev
FUZZTIME ?= 3s

QUICKSTART ?= medgym-quickstart

.PHONY: build env image quickstart test race lint test-ordinary generate check-generate fuzz-short interop kill faults servers servers-all bench soak soak-short abuse clean

build:
	go build -trimpath -buildvcs=auto -o bin/medgym-data ./cmd/medgym-data

# The Python environment of the sandbox, in the user's cache folder.
env: build
	bin/medgym-data --quiet doctor --install

# The image of the docker backend, without a registry; scripts/dockerd.sh starts an engine.
image: env
	scripts/build-image.sh --rootfs

quickstart: build
	bin/medgym-data quickstart --dir "$(QUICKSTART)"

# Last the backends of the sandbox, one after the other: their suite counts what an
# attack leaves on the machine, and a container's processes and mounts would be in it.
BACKENDS := ./sandbox/namespace ./sandbox/docker

test: env
	go test -timeout 30m $$(go list ./... | grep -vE '/sandbox/(namespace|docker)$$')
	go test -p 1 -timeout 30m $(BACKENDS)

# The sandbox's suite once more, as an ordinary user.
test-ordinary: build
	scripts/test-ordinary.sh

# The abuse list on both backends, and its table in docs/sandbox.md.
abuse: env
	MEDGYM_ABUSE_RECORD="$(CURDIR)/sandbox/abuse/outcomes" go test -count=1 -timeout 30m -run TestSuite/abuse ./sandbox/namespace ./sandbox/docker
	$(MAKE) generate

# The packages that start goroutines or guard something from them, or whose tests do:
# in the others nothing races. Under the detector tests draw less.
race:
	go test -race -short -timeout 30m $$(grep -rlE '^\s*go (func|[a-z])|\.Go\(|\b(sync|atomic)\.|t\.Parallel\(' --include='*.go' stages datasets pipeline | xargs -n 1 dirname | sort -u | sed 's|^|./|')

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'lint: the files above are not gofmt-formatted'; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	@if curl -fsS -m 15 -o /dev/null $(VULNDB)/index/db.json; then \
		go run $(GOVULNCHECK) -db $(VULNDB) ./...; \
	else \
		echo 'lint: govulncheck NOT run: $(VULNDB) cannot be reached (set VULNDB to a mirror)'; \
	fi

generate:
	go run ./scripts/generate

check-generate: generate
	@git diff --exit-code -- docs README.md || { echo 'check-generate: run make generate and commit what changed'; exit 1; }

# Every fuzz target for FUZZTIME.
fuzz-short:
	FUZZTIME=$(FUZZTIME) scripts/fuzz-short.sh

# Reads Parquet files with pyarrow, DuckDB, polars and datasets, which it installs in
# the cache folder the first time: those of a test, and those of the run folder RUN.
interop:
	go test -tags interop -count=1 ./scripts/interop
	@if [ -n "$(RUN)" ]; then go run ./scripts/interop --dir "$(RUN)"; fi

# A rollout that is killed again and again and goes on each time, against one that is
# not; a few kills here, docs/benchmarks.md has the whole proof.
kill: env
	go run ./scripts/kill -kills 6 -attempts 300

# A rollout whose model server fails in every known way, against a calm one.
faults: env
	go run ./scripts/faults -attempts 300

# Rollouts against llama.cpp's server, from PyPI, over a model of random weights.
servers: env
	go run ./scripts/servers -server llama

# The same against Ollama too, which is built the first time: minutes, a C++ compiler.
servers-all: env
	go run ./scripts/servers -server all

# What an execution in the sandbox costs, against other ways: docs/benchmarks.md.
bench: env
	go run ./scripts/bench/sandbox

# The sandbox for long: open sessions, executions in a row, supervisors killed.
SOAK_SESSIONS ?= 1000
SOAK_EXECUTIONS ?= 100000
SOAK_KILLS ?= 50

soak: env
	go run ./scripts/soak sessions -n $(SOAK_SESSIONS)
	go run ./scripts/soak repeat -n $(SOAK_EXECUTIONS)
	go run ./scripts/soak kill -kills $(SOAK_KILLS)

# Its short form, for CI.
soak-short: env
	go run ./scripts/soak repeat -n 2000 -recycle 300
	go run ./scripts/soak kill -kills 5 -within 1s

clean:
	rm -rf bin
