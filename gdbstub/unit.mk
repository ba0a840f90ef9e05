# The GDB stub: portable, built for the kernel and for the host from the same files.
gdbstub.SRCS := gdbstub/text.c gdbstub/link.c gdbstub/packets.c gdbstub/stop.c gdbstub/run.c \
	gdbstub/memory.c gdbstub/registers.c gdbstub/threads.c gdbstub/breakpoints.c \
	gdbstub/x86_step.c gdbstub/xml.c gdbstub/query.c

gdbstub.mock := gdbstub/test/mock.c gdbstub/test/session.c

PROGS += gdbstub-packets
gdbstub-packets.kind  := test
gdbstub-packets.units := gdbstub
gdbstub-packets.srcs  := gdbstub/test/test_packets.c $(gdbstub.mock)
gdbstub-packets.libs  := -lcmocka

PROGS += gdbstub-line
gdbstub-line.kind  := test
gdbstub-line.units := gdbstub
gdbstub-line.srcs  := gdbstub/test/test_line.c $(gdbstub.mock)
gdbstub-line.libs  := -lcmocka

PROGS += gdbstub-session
gdbstub-session.kind  := fuzz
gdbstub-session.units := gdbstub
gdbstub-session.srcs  := gdbstub/test/fuzz_session.c $(gdbstub.mock)

# The mock machine behind a socket, for sessions with real debuggers, and a program for it.
PROGS += gdbstub-mock
gdbstub-mock.kind   := tool
gdbstub-mock.flavor := asan
gdbstub-mock.units  := gdbstub
gdbstub-mock.srcs   := gdbstub/test/mock_server.c $(gdbstub.mock)

$(BUILD)/gdbstub-program.elf: gdbstub/test/program.S
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) -g -nostdlib -static -Wl,-Ttext=0x100000 \
		-Wl,--build-id=none $< -o $@
$(BUILD)/gdbstub-program.bin: $(BUILD)/gdbstub-program.elf
	$(Q)$(OBJCOPY) -O binary -j .text $< $@
EXTRA_ALL += $(BUILD)/gdbstub-program.bin

PROGS += gdbstub-fuzz-smoke
gdbstub-fuzz-smoke.kind  := test
gdbstub-fuzz-smoke.units := gdbstub
gdbstub-fuzz-smoke.srcs  := gdbstub/test/test_fuzz_smoke.c gdbstub/test/fuzz_session.c \
	$(gdbstub.mock)
gdbstub-fuzz-smoke.libs  := -lcmocka

TAP_TESTS += gdbstub/test/sessions.bats
TAP_TESTS += tests/gdb/stub.bats tests/gdb/commands.bats tests/gdb/sessions.bats tests/gdb/lost.bats \
	tests/gdb/hostile.bats tests/gdb/debug.bats

# The GDB commands beside the kernel's file, under the name that GDB loads by itself too.
$(BUILD)/vitrine-gdb.py: gdbstub/gdb/vitrine-gdb.py
	$(Q)mkdir -p $(@D) && cp $< $@ && cp $< $(BUILD)/vitrine.elf-gdb.py
	@echo "  GDB      add-auto-load-safe-path $(abspath $(BUILD))   (for ~/.config/gdb/gdbinit)"
EXTRA_ALL += $(BUILD)/vitrine-gdb.py
