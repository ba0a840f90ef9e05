# Tests that need more than one unit, and what they need built.
TAP_TESTS += tests/boot/boot.bats tests/e2e/run.bats tests/e2e/glass.bats tests/e2e/mux.bats

tests.NEEDS := $(KERNEL_ISO)

# ---- measuring ------------------------------------------------------------------------------------
PROGS += inspect-client
inspect-client.kind := tool
inspect-client.srcs := tests/bench/inspect_client.c

# ---- end to end ------------------------------------------------------------------------------------
PROGS += glass-client
glass-client.kind := tool
glass-client.srcs := tests/e2e/glass.c
glass-client.libs := -ljson-c -lz

# ---- mm under real programs -------------------------------------------------------------------------
# mm as the malloc of a process: LD_PRELOAD=build/libvitrine-malloc.so. Only the C library's names
# are visible; and its functions must not be made out of each other by the compiler.
PROGS += libvitrine-malloc.so
libvitrine-malloc.so.kind   := tool
libvitrine-malloc.so.flavor := pic
libvitrine-malloc.so.units  := mm
libvitrine-malloc.so.srcs   := $(addprefix tests/mm/shim/,cpus.c large.c objects.c malloc.c)
libvitrine-malloc.so.libs   := -lpthread
$(BUILD)/obj/pic/%.o: CPPFLAGS += -fvisibility=hidden
$(BUILD)/obj/pic/tests/mm/shim/%.o: CPPFLAGS += -fno-builtin

PROGS += malloc-stress
malloc-stress.kind := tool
malloc-stress.srcs := tests/mm/stress.c
malloc-stress.libs := -lpthread
# Its calls of malloc are to happen as they stand.
$(BUILD)/obj/plain/tests/mm/stress.o: CPPFLAGS += -fno-builtin

TAP_TESTS += tests/mm/programs.bats tests/mm/docs.bats

.PHONY: mutate
mutate: ## break mm's checks one by one; the tests must notice each (some 15 minutes)
	$(Q)mm/test/mutate -k mm/test/*.mutations

# ---- the second port of each portable unit: docs/porting.md ------------------------------------------
define porting_rule
PROGS += porting-$1
porting-$1.kind   := test
porting-$1.flavor := port2
porting-$1.units  := $1
porting-$1.srcs   := tests/porting/test_$1.c tests/porting/$1_port.c
porting-$1.libs   := -lcmocka
# Units and ports are freestanding; only the tests see the C library.
$(addprefix $(BUILD)/obj/port2/,$(dir.$1)/%.o tests/porting/$1_port.o): CPPFLAGS += \
	-nostdinc -isystem $(CC_HEADERS) -isystem kernel/include/freestanding
endef
$(foreach u,mm gdbstub inspect,$(eval $(call porting_rule,$u)))

# ---- both ends of mm's root descriptor: what memviz reads equals what mm says -------------------------
root.rig := tests/memviz/root_guest.c mm/test/port/port_host.c
root.INC := -Ihost-tools/memviz/gdb -Ihost-tools/memviz/test -Imm/test
PROGS += memviz-root
memviz-root.kind  := test
memviz-root.units := mm memviz
memviz-root.srcs  := tests/memviz/test_root.c $(root.rig)
memviz-root.libs  := -lcmocka $(memviz_LIBS)
$(BUILD)/obj/asan/tests/memviz/%.o $(BUILD)/obj/fuzz/tests/memviz/%.o: CPPFLAGS += $(root.INC)

PROGS += memviz-fuzz-root memviz-smoke-root
memviz-fuzz-root.kind   := fuzz
memviz-fuzz-root.units  := mm memviz
memviz-fuzz-root.srcs   := tests/memviz/fuzz_root.c $(root.rig)
memviz-fuzz-root.libs   := $(memviz_LIBS)
memviz-smoke-root.kind  := test
memviz-smoke-root.units := mm memviz
memviz-smoke-root.srcs  := tests/memviz/fuzz_root.c host-tools/memviz/test/smoke.c $(root.rig)
memviz-smoke-root.libs  := $(memviz_LIBS)
