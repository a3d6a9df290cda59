#!/bin/sh
# Builds, serves and tests bootpath.  ./build.sh help lists the commands.
# It needs Go and Node; what else is missing it installs (npm packages; Chromium and a Chinese font for the
# browser tests, from Debian as root) or names.
set -eu
cd "$(dirname "$0")"

hugo() { (cd site && CGO_ENABLED=0 go tool hugo "$@"); }

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }

need() { # program, what to do when it is missing
	command -v "$1" >/dev/null || { echo "build.sh: $1 is missing: $2" >&2; exit 1; }
}

tools() {
	need go "install Go 1.26 or newer from https://go.dev/dl/"
	need node "install Node 20 or newer (Debian: apt-get install nodejs npm)"
	need npm "install npm (Debian: apt-get install npm)"
}

# packages FOLDER installs exactly what the lock file names, once.
packages() {
	if ! cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock"; then
		say "npm packages of $1"
		npm ci --prefix "$1" --no-audit --no-fund --loglevel=error </dev/null
		cp "$1/package-lock.json" "$1/node_modules/.installed-lock"
	fi
}

# browser makes sure of Chromium and of a font with Chinese characters.
browser() {
	missing=""
	[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing="chromium"
	[ -n "$(find /usr/share/fonts "${HOME:-/root}/.fonts" -iname '*CJK*' 2>/dev/null | head -n 1)" ] || missing="$missing fonts-noto-cjk"
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		say "installing$missing"
		apt-get update -qq </dev/null
		# shellcheck disable=SC2086 # several packages
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null
		return 0
	fi
	echo "build.sh: missing for the browser tests: $missing (Debian: sudo apt-get install $missing; another Chromium: CHROMIUM=/path)" >&2
	exit 1
}

gen() {
	go run ./sim/wire/tsgen >site/assets/ts/wire.gen.ts.new
	mv site/assets/ts/wire.gen.ts.new site/assets/ts/wire.gen.ts
}

# engine builds the WebAssembly module and puts Go's loader beside it.
engine() {
	say "engine"
	mkdir -p site/static/engine
	mkdir -p build
	GOOS=js GOARCH=wasm go build -trimpath -ldflags='-s -w' -o build/engine.wasm ./wasm
	gzip -9 -n -c build/engine.wasm >site/static/engine/engine.wasm.pack
	rm -f site/static/engine/engine.wasm
	cp "$(go env GOROOT)/lib/wasm/wasm_exec.js" site/static/engine/
}

# traces works out the samples' runs in advance: the page shows them before the engine has loaded.
traces() {
	[ -f content/samples/index.json ] || return 0
	say "traces of samples and scenarios"
	mkdir -p build
	go build -o build/bootpath ./sim/cmd/bootpath
	node site/traces.mjs build/bootpath content site/static/traces
}

site() {
	say "site" # BOOTPATH_URL is its address, where oEmbed has to name it; every other link is relative
	rm -rf dist
	hugo --quiet --destination ../dist ${BOOTPATH_URL:+--baseURL "$BOOTPATH_URL"}
	node site/offline.mjs dist
}

build() {
	tools
	packages site
	gen
	engine
	traces
	site
}

check() {
	tools
	packages site
	say "go vet, gofmt"
	go vet ./...
	GOOS=js GOARCH=wasm go vet ./wasm
	unformatted=$(gofmt -l sim wasm tests)
	[ -z "$unformatted" ] || { echo "gofmt: $unformatted" >&2; exit 1; }
	say "types"
	site/node_modules/.bin/tsc -p site
	site/node_modules/.bin/tsc -p site/assets/engine
	site/node_modules/.bin/tsc -p site/assets/sw
}

e2e() {
	packages tests/e2e
	browser
	say "browser tests"
	node --test --test-reporter=spec --test-concurrency=1 --test-timeout=300000 tests/e2e/*.test.mjs </dev/null
}

run_tests() {
	check
	say "go test"
	go test ./...
	build
	e2e
}

serve() {
	build
	port=8080
	while [ $# -gt 0 ]; do
		case $1 in
		--port) port=${2:?--port needs a number}; shift 2 ;;
		--port=*) port=${1#--port=}; shift ;;
		*) echo "build.sh serve: unknown argument $1" >&2; exit 2 ;;
		esac
	done
	exec node site/serve.mjs dist "$port"
}

truth() {
	recordings=${BOOTPATH_TRUTH:-$(pwd)/../shared/truth}
	if [ ! -d "$recordings" ]; then
		echo "build.sh truth: no recordings at $recordings; the comparison with real programs is skipped (BOOTPATH_TRUTH names another place)"
		exit 0
	fi
	BOOTPATH_TRUTH=$recordings go test -count=1 ./tests/truth/...
}

bench() {
	go test -run '^$' -bench . -benchmem ./...
}

help() {
	cat <<'TEXT'
./build.sh serve [--port N]  build everything and serve it on localhost (default port 8080)
./build.sh test              everything that CI runs: checks, Go tests, engine, site, browser tests
./build.sh build             the site with its engine, into dist/ (also: site); with it bootpath-offline.zip
                             for any static server, and bootpath.html, the Lab in one file
./build.sh check             go vet, gofmt, TypeScript types
./build.sh e2e               the browser tests, on what is in dist/
./build.sh gen               TypeScript types from the Go structs
./build.sh truth             comparison with recordings of real programs, where they are at hand
./build.sh bench             benchmarks
TEXT
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
serve) serve "$@" ;;
test) run_tests ;;
site) build ;; # the function of that name is only its last part
build | check | gen | e2e | truth | bench | help) "$command" ;;
-h | --help) help ;;
*) help >&2; exit 2 ;;
esac
