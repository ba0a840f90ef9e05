# Vitrine: one build for everything. `make help` lists the verbs; V=1 shows the commands.
#
# No recursion: each unit lists its sources and programs in its own unit.mk; this file turns the
# lists into rules. Which folder may include which is decided by the -I roots below, and by
# nothing else: an include that the plan of the house forbids does not compile.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh

BUILD ?= build
V ?= 0
Q := $(if $(filter 0,$(V)),@,)
say = $(if $(filter 0,$(V)),@printf '  %-8s %s\n' '$1' '$2',@:)

ifeq ($(origin CC),default)
CC := gcc
endif
FUZZ_CC ?= clang
NM ?= nm
OBJCOPY ?= objcopy
PREFIX ?= /usr/local
DESTDIR ?=

# ---- flags ------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wconversion -Wshadow -Wundef -Wvla -Wpointer-arith -Wwrite-strings \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Werror
COMMON := -std=gnu11 $(WARN) -g -fno-common

# Freestanding headers of the compiler itself, without the C library behind them.
is_clang := $(findstring clang,$(shell $(CC) --version))
CC_HEADERS := $(if $(is_clang),$(shell $(CC) -print-resource-dir)/include,$(shell $(CC) -print-file-name=include))

KERNEL_FLAGS := $(COMMON) -O2 -ffreestanding -nostdinc -isystem $(CC_HEADERS) \
	-isystem kernel/include/freestanding \
	-m64 -march=x86-64 \
	-mcmodel=kernel -fno-pie -fno-pic \
	-mno-red-zone \
	-mgeneral-regs-only \
	-fno-omit-frame-pointer -fno-optimize-sibling-calls \
	-fstack-protector-strong \
	-fno-asynchronous-unwind-tables \
	$(if $(is_clang),-Wno-unused-command-line-argument,-fno-tree-loop-distribute-patterns)
# -mcmodel=kernel:       the image lives in the top 2 GiB; needs -fno-pie on Debian's gcc
# -mno-red-zone:         interrupts arrive on the same stack
# -mgeneral-regs-only:   no FPU state to save on a trap
# sibling calls off:     a tail call would drop its caller from the backtrace
# loop patterns off:     memset must not be compiled into a call of memset

HOST_FLAGS := $(COMMON) -D_GNU_SOURCE -fno-omit-frame-pointer
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
flags.plain := -O2
flags.asan  := -O1 $(SANITIZE)
flags.tsan  := -O1 -fsanitize=thread
flags.pic   := -O2 -fPIC -ftls-model=initial-exec
flags.port2 := -O2 -ffreestanding
flags.fuzz  := -O1 -fsanitize=fuzzer-no-link $(SANITIZE)
link.plain  :=
link.asan   := $(SANITIZE)
link.tsan   := -fsanitize=thread
link.pic    := -shared
link.port2  :=
link.fuzz   := -fsanitize=fuzzer $(SANITIZE)
cc.fuzz     := $(FUZZ_CC)
flavor_cc    = $(or $(cc.$1),$(CC))

# ---- who may include whom -----------------------------------------------------------------------
# The memviz root holds one copied header, <inspect/protocol.h>: names, nothing of the kernel.
NAMES := $(BUILD)/include/names
inc.mm       := mm/include
inc.gdbstub  := gdbstub/include
inc.inspect  := kernel/inspect/include
inc.kernel   := kernel/include $(inc.mm) $(inc.gdbstub) $(inc.inspect)
inc.memviz   := host-tools/memviz/include $(NAMES)
inc.tests    := $(inc.kernel) host-tools/memviz/include tests
ports.kernel := kernel/port
ports.host   := mm/test/port kernel/inspect/test/port gdbstub/test/port
# The proof of docs/porting.md: another port, and nothing of a C library for the units themselves.
ports.port2  := tests/porting/include

dir.mm       := mm
dir.gdbstub  := gdbstub
dir.inspect  := kernel/inspect
dir.memviz   := host-tools/memviz
dir.kernel   := kernel
dir.tests    := tests

unit_of = $(or $(if $(filter mm/%,$1),mm),$(if $(filter gdbstub/%,$1),gdbstub),$(if \
	$(filter kernel/inspect/%,$1),inspect),$(if $(filter kernel/%,$1),kernel),$(if \
	$(filter host-tools/memviz/%,$1),memviz),tests)
own_test_roots = $(if $(findstring /test/,$1),$(dir.$(call unit_of,$1))/test)
portless := memviz
roots = $(addprefix -I,$(inc.$(call unit_of,$1)) $(own_test_roots) \
	$(if $(filter $(portless),$(call unit_of,$1)),,$(ports.$2)))

# ---- the units ----------------------------------------------------------------------------------
PROGS :=
TAP_TESTS :=
EXTRA_ALL :=
INSTALL_RULES :=
KERNEL_ELF := $(BUILD)/vitrine.elf
KERNEL_ISO := $(BUILD)/vitrine.iso
objs_of = $(addprefix $(BUILD)/obj/$1/,$(addsuffix .o,$(basename $2)))
KERNEL_OBJS = $(call objs_of,kernel,$(kernel.SRCS) $(foreach u,$(kernel.units),$($u.SRCS)))

include $(wildcard mm/unit.mk gdbstub/unit.mk kernel/inspect/unit.mk kernel/unit.mk)
include $(wildcard host-tools/memviz/unit.mk tests/unit.mk)

# ---- objects ------------------------------------------------------------------------------------
# Objects depend on a stamp of the flags, so that another compiler rebuilds instead of mixing.
FLAGS_STAMP := $(BUILD)/.flags
FLAGS_NOW := $(shell $(CC) --version | head -n1) $(KERNEL_FLAGS) $(HOST_FLAGS) $(CPPFLAGS) $(CFLAGS)
ifneq ($(file <$(FLAGS_STAMP)),$(FLAGS_NOW))
$(shell mkdir -p $(BUILD))
$(file >$(FLAGS_STAMP),$(FLAGS_NOW))
endif

GENERATED := $(NAMES)/inspect/protocol.h
$(NAMES)/inspect/protocol.h: kernel/inspect/include/inspect/protocol.h
	$(Q)mkdir -p $(@D) && cp $< $@

$(BUILD)/obj/kernel/%.o: %.c $(FLAGS_STAMP)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(KERNEL_FLAGS) $(call roots,$<,kernel) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/obj/kernel/%.o: %.S $(FLAGS_STAMP)
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(filter-out -std=% -fno-common,$(KERNEL_FLAGS)) -D__ASSEMBLY__ \
		$(call roots,$<,kernel) -MMD -MP -c $< -o $@

define flavor_rule
$(BUILD)/obj/$1/%.o: %.c $(FLAGS_STAMP) | $(GENERATED)
	$$(call say,CC.$1,$$<)
	$$(Q)mkdir -p $$(@D) && $$(call flavor_cc,$1) $(HOST_FLAGS) $(flags.$1) \
		$$(call roots,$$<,$(if $(ports.$1),$1,host)) $$(CPPFLAGS) $(CFLAGS) -MMD -MP -c $$< -o $$@
endef
FLAVORS := plain asan tsan fuzz pic port2
$(foreach f,$(FLAVORS),$(eval $(call flavor_rule,$f)))

# ---- programs -----------------------------------------------------------------------------------
default_flavor.test  := asan
default_flavor.bench := plain
default_flavor.tool  := plain
default_flavor.fuzz  := fuzz
place.test  := $(BUILD)/test/
place.bench := $(BUILD)/bench/
place.fuzz  := $(BUILD)/fuzz/
place.tool  := $(BUILD)/

flavor_of = $(or $($1.flavor),$(default_flavor.$($1.kind)))
place = $(place.$($1.kind))$1
prog_objs = $(call objs_of,$(call flavor_of,$1),$($1.srcs) $(foreach u,$($1.units),$($u.SRCS)))

define prog_rule
$(call place,$1): $(call prog_objs,$1)
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D) && $(call flavor_cc,$(call flavor_of,$1)) $(link.$(call flavor_of,$1)) $$^ $($1.libs) $(LDFLAGS) -o $$@
endef
$(foreach p,$(PROGS),$(eval $(call prog_rule,$p)))

of_kind = $(foreach p,$(PROGS),$(if $(filter $1,$($p.kind)),$(call place,$p)))
TOOLS   := $(call of_kind,tool)
TESTS   := $(call of_kind,test)
BENCHES := $(call of_kind,bench)
FUZZERS := $(call of_kind,fuzz)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# ---- verbs --------------------------------------------------------------------------------------
.PHONY: all run test test-programs check debug bench fuzz fuzzers iso install format clean help
all: $(KERNEL_ELF) $(TOOLS) $(EXTRA_ALL) ## build the kernel, memviz and the tools (the default)

run: ## boot the kernel and open memviz on it
	$(Q)scripts/run

test-programs: all $(TESTS) $(tests.NEEDS)
test: test-programs ## build and run every test (T=pattern: those whose name matches)
	$(Q)scripts/run-tests '$(BUILD)' '$(T)' $(TESTS) $(TAP_TESTS)

check: $(GENERATED) ## format, clang-tidy, cppcheck, self-sufficient headers, includes, docs against code
	$(Q)BUILD='$(BUILD)' scripts/check

debug: ## boot under QEMU's gdbstub and start GDB
	$(Q)scripts/debug

bench: all $(BENCHES) ## measure; writes build/bench.tsv (B=prefix: a part)
	$(Q)scripts/bench '$(B)'

fuzzers: $(FUZZERS)
fuzz: $(if $(T),$(BUILD)/fuzz/$(T),fuzzers) ## run a fuzz target: T=name S=seconds (no T: list them)
	$(Q)scripts/fuzz '$(BUILD)' '$(T)' '$(or $(S),60)' $(FUZZERS)

iso: $(KERNEL_ISO) ## build the GRUB ISO (BIOS and UEFI)

install: all $(INSTALL_RULES) ## install memviz, its man page and completions (PREFIX, DESTDIR)

format: ## format every C file in place
	$(Q)git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

clean: ## remove everything that was built
	$(Q)rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12
