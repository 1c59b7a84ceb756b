# SPDX-License-Identifier: MIT
# The few commands people type. The build itself is Meson's: meson.build. All products go to build/.

EXAMPLE := build/examples/react
EXAMPLES := react hono preact solid svelte sveltekit vue
NPM := npm --cache "$(CURDIR)/build/npm-cache" --no-audit --no-fund --no-update-notifier
MESON_FLAGS ?=

.PHONY: all setup build configure run test asan lint clean

all: build

# What is missing of Debian's packages (etc/setup); done at once where nothing is.
setup:
	@etc/setup

# Configured again when etc/setup brought something (it removes build.ninja) or the tree has moved.
# build/ is never wiped: it holds unpacked packages and downloads too.
configure: setup
	@if ! [ -f build/build.ninja ] || ! grep -qF '"$(CURDIR)"' build/meson-info/meson-info.json 2>/dev/null; then \
	    rm -rf build/meson-private build/meson-info build/meson-logs build/build.ninja; \
	    meson setup build $(MESON_FLAGS); \
	fi

build: configure
	@ninja -C build

# An example is built beside its sources' copy, so that the tree stays clean; sources that are gone leave it.
define example_rule
build/examples/$(1)/dist/server.js: $$(shell find examples/$(1) -type f) | setup
	@mkdir -p build/examples/$(1)
	@rm -rf build/examples/$(1)/src build/examples/$(1)/dist
	@cp -R examples/$(1)/. build/examples/$(1)/
	@cd build/examples/$(1) && $$(NPM) ci --ignore-scripts && $$(NPM) run --silent build
endef
$(foreach example,$(EXAMPLES),$(eval $(call example_rule,$(example))))

# Serves the React example on 127.0.0.1:8080 with defaults. Builds no test: a third of the time.
run: configure $(EXAMPLE)/dist/server.js
	@ninja -C build ssrd ssrctl
	@echo "Serving examples/react on http://127.0.0.1:8080/ (Ctrl-C stops)"
	@cd $(EXAMPLE) && exec "$(CURDIR)/build/ssrd" -c ssrd.yaml

# Every test; ends with "N passed, N failed".
test: build $(EXAMPLES:%=build/examples/%/dist/server.js)
	@tests/run build

# The C tests once more, with the address and undefined behaviour sanitizers.
asan: setup
	@[ -f build-asan/build.ninja ] || meson setup build-asan -Db_sanitize=address,undefined \
	    -Db_lundef=false -Ddeps_prefix="$(CURDIR)/build/deps"
	@ninja -C build-asan
	@tests/run build-asan --suite unit --suite stress --suite fuzz-replay

lint: setup
	@/usr/bin/python3 -B tests/lint/lint.py .

# Keeps what was downloaded: build/deps, build/debs, build/npm-cache.
clean:
	rm -rf build-asan $(EXAMPLES:%=build/examples/%)
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 \
	    ! -name deps ! -name debs ! -name npm-cache ! -name examples -exec rm -rf {} +
