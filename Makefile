# SPDX-License-Identifier: GPL-2.0-only
#
# The one entry to everything: `make help` lists it. Each target is a line or
# two here and a script of its own: tools/setup, vm/boot, vm/test, tests/all.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# y: bpfilter inside the kernel. m: in a module, loaded on first use. The other
# kernels of vm/config can be named too.
MODE ?= y
# Seconds after which `make vm` stops the guest.
VM_TIMEOUT ?= 600
# Files of this machine for the guest, FILE=PATH each.
ADD ?=
# 1: one CPU, whose clock counts instructions.
ICOUNT ?=
# Where `make vm` keeps the kernel's log; shown if the guest dies, else dropped.
KLOG ?=

CARGO ?= cargo
cargo_target = $(or $(CARGO_TARGET_DIR),target)

# The CPU that `make umh` and `make module` build for, by the kernel's name; this
# machine's if not given.
ARCH ?=
# These are about this machine's CPU, whatever other builds have in the environment.
for_this_cpu = deb test test-all soak bench
ifneq ($(filter $(for_this_cpu),$(MAKECMDGOALS)),)
ifeq ($(origin ARCH),command line)
$(error ARCH is for umh and module, and $(firstword $(filter $(for_this_cpu),$(MAKECMDGOALS))) for this machine's CPU alone)
endif
ARCH :=
endif
# The CPU of MODE, if it is not this machine's.
vm_arch = $(shell sed -n 's/^\(arch=\|\# arch: *\)//p' vm/config/$(MODE).stock vm/config/$(MODE).config 2>/dev/null)

# $(call install,BUILT,NAME): a file that cargo has built, as target/NAME.
install = mkdir -p $(dir target/$(2)) && \
	{ cmp -s $(cargo_target)/$(1) target/$(2) || cp $(cargo_target)/$(1) target/$(2); }

# For `make module`: the headers of a kernel, and where the module is built. With
# ARCH, CROSS_COMPILE is what the names of its compiler start with, as for the kernel.
KDIR ?=
# Not from the environment, where other builds have an OUT.
OUT = target/module

# How many cases `make soak` invents for each property.
CASES ?= 100000
# How long `make fuzz` runs each target.
FUZZ_SECONDS ?= 600
# `make bench`: three minutes, or all rounds and a new docs/bench.
LONG ?=

.PHONY: help setup run test test-all soak vm umh umh-of-mode tools module deb boot-rules bench fuzz

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## installs what is missing (Debian packages; Rust if there is none)
	@tools/setup

umh: setup ## builds the helper, target/bpfilter_umh [ARCH=arm64|arm: target/ARCH/bpfilter_umh]
	@CARGO="$(CARGO)" tools/umh $(ARCH) >/dev/null

tools: setup ## builds target/bpfilter-run, bpfilter on the kernel of this machine, and its helper
	@CARGO="$(CARGO)" tools/umh --links >/dev/null
	@$(CARGO) build --quiet --release -p bpfilter-run --bin bpfilter-run
	@$(call install,release/bpfilter-run,bpfilter-run)

module: setup ## builds bpfilter.ko for a kernel as it is: KDIR=/lib/modules/.../build [OUT=target/module ARCH=arm64|arm CROSS_COMPILE=prefix-]
	@test -n "$(KDIR)" || { echo "usage: make module KDIR=/lib/modules/\$$(uname -r)/build [OUT=target/module] [ARCH=arm64|arm CROSS_COMPILE=prefix-]" >&2; exit 2; }
	@umh=$$(CARGO="$(CARGO)" tools/umh $(ARCH)) && tools/module "$(KDIR)" "$$umh" "$(OUT)"

boot-rules: setup ## builds target/boot-rules, which makes rules for a kernel image of iptables-save's
	@$(CARGO) build --quiet --release -p boot-rules
	@$(call install,release/boot-rules,boot-rules)

deb: umh tools ## makes Debian's packages of it, target/deb: bpfilter-dkms and bpfilter-run
	@packaging/deb/build

# The helper for the CPU of MODE.
umh-of-mode: setup
	@CARGO="$(CARGO)" tools/umh $(vm_arch) >/dev/null

run: umh-of-mode boot-rules ## a shell in a fresh kernel with bpfilter; MODE=m: as a module
	@vm/boot --kernel $(MODE) --shell

vm: umh-of-mode boot-rules ## runs SCRIPT=path in the guest [MODE=y|m|... ADD='FILE=PATH ...' ICOUNT=1 VM_TIMEOUT=600 KLOG=file]
	@test -n "$(SCRIPT)" || { echo "usage: make vm SCRIPT=path [MODE=y|m|...] [ADD='FILE=PATH ...'] [ICOUNT=1] [VM_TIMEOUT=600] [KLOG=file]" >&2; exit 2; }
	@case "$(ICOUNT)" in '' | 1) ;; *) echo "ICOUNT is 1 or not given, not '$(ICOUNT)'" >&2; exit 2 ;; esac
	@vm/boot --kernel "$(MODE)" --timeout "$(VM_TIMEOUT)" $(if $(KLOG),--klog "$(KLOG)") $(if $(ICOUNT),--icount) $(foreach add,$(ADD),--add "$(add)") "$(SCRIPT)"

test: umh tools boot-rules ## what CI runs
	@tests/all

test-all: umh tools boot-rules ## that, and every kernel and test that is too slow or rare for it; hours
	@tests/all --all

soak: umh tools boot-rules ## make test with CASES=100000 for each property; takes hours
	@BPFILTER_CASES=$(CASES) tests/all

fuzz: setup ## the fuzz targets, each for FUZZ_SECONDS=600
	@fuzz/run $(FUZZ_SECONDS)

bench: umh tools ## speed beside ip_tables and nft, as root; LONG=1: all of it, for docs/bench
	@$(CARGO) build --quiet --release -p bpfilter-bench
	@$(cargo_target)/release/bpfilter-bench $(if $(LONG),--long docs/bench)
	@bench/instructions $(if $(LONG),docs/bench/instructions.md)
	@$(if $(LONG),$(cargo_target)/release/bpfilter-bench --draw docs/bench/instructions.md)
