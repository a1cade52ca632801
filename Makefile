# Thin wrappers over Meson and tools/. `make` builds, `make demo` shows, `make check` proves.
# `make install DESTDIR=... PREFIX=...` installs.
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build

.PHONY: all setup demo check check-asan bench soak lint install clean

all: $(BUILD)/build.ninja
	@meson compile -C "$(BUILD)" >"$(BUILD)/build.log" 2>&1 || { cat "$(BUILD)/build.log"; exit 1; }

setup:
	@tools/setup build check

$(BUILD)/build.ninja: meson.build | setup
	@mkdir -p "$(BUILD)"
	@meson setup "$(BUILD)" --prefix "$(abspath $(PREFIX))" >"$(BUILD)/setup.log" 2>&1 || \
		{ cat "$(BUILD)/setup.log"; tools/setup --names build check; exit 1; }

demo: all
	@tools/demo "$(BUILD)"

check: setup all
	@tools/check "$(BUILD)"

check-asan: setup
	@tools/setup lint
	@tools/check-asan

bench: setup all
	@tools/setup bench || echo "bench: what could not be installed is skipped by name" >&2
	@tools/bench "$(BUILD)"

soak: setup all
	@tools/soak "$(BUILD)"

lint:
	@tools/setup build lint
	@tools/lint

install: all
	@meson configure "$(BUILD)" -Dprefix="$(abspath $(PREFIX))" && \
		DESTDIR="$(DESTDIR)" meson install -C "$(BUILD)" --quiet >"$(BUILD)/install.log" 2>&1 || { cat "$(BUILD)/install.log"; exit 1; }

clean:
	@rm -rf "$(BUILD)" build-asan build-clang build-fuzz build-release
