# The kernel: its own sources, the two links that make the ELF file, the ISO, and host tests.
# Portable units that are linked in: each needs its kernel/port_*.c.
kernel.units := mm inspect gdbstub

kernel.SRCS :=
# boot and x86
kernel.SRCS += kernel/boot/entry.S kernel/boot/parse.c kernel/boot/boot_info.c kernel/boot/early.c \
	kernel/boot/fw_cfg.c
kernel.SRCS += kernel/core/memmap.c
kernel.SRCS += kernel/x86/cpu.c kernel/x86/percpu.c kernel/x86/gdt.c kernel/x86/trap_entry.S \
	kernel/x86/traps.c kernel/x86/explain.c kernel/x86/dump.c kernel/x86/paging.c \
	kernel/x86/page_window.c \
	kernel/x86/stacks.c kernel/x86/access.S kernel/x86/safe_access.c kernel/x86/patch.c \
	kernel/x86/weaken.c kernel/x86/canary.c kernel/x86/switch.S kernel/x86/context.c kernel/x86/acpi.c \
	kernel/x86/acpi_parse.c kernel/x86/lapic.c kernel/x86/ioapic.c kernel/x86/pic.c \
	kernel/x86/irq.c kernel/x86/tsc.c kernel/x86/tick.c kernel/x86/machine.c \
	kernel/x86/user.c kernel/x86/selftest_security.c kernel/x86/selftest_traps.c kernel/x86/selftest_crash.c

# core, drivers, workload
kernel.SRCS += kernel/core/main.c kernel/core/compiler_runtime.c kernel/core/console.c \
	kernel/core/glob.c \
	kernel/core/ksyms.c kernel/core/log.c kernel/core/panic.c kernel/core/params.c \
	kernel/core/printf.c kernel/core/selftest.c kernel/core/string.c kernel/core/sync.c \
	kernel/core/thread.c kernel/core/time.c
kernel.SRCS += kernel/core/selftest_core.c kernel/core/selftest_thread.c
kernel.SRCS += kernel/drivers/uart16550.c kernel/drivers/pci.c kernel/drivers/virtqueue.c \
	kernel/drivers/virtio_console.c kernel/drivers/selftest_drivers.c
# The programs are what they are on the host; manager.c is the kernel's half.
workload.programs := kernel/workload/table.c kernel/workload/tools.c kernel/workload/churn.c \
	kernel/workload/ramp.c kernel/workload/leak.c kernel/workload/fragment.c \
	kernel/workload/maps.c kernel/workload/mixed.c
kernel.SRCS += $(workload.programs) kernel/workload/manager.c kernel/workload/selftest_workload.c

# the kernel's side of the units, and tests of them inside the kernel
kernel.SRCS += kernel/port_mm.c
kernel.SRCS += kernel/port_inspect.c kernel/port_inspect_visit.c kernel/port_inspect_act.c \
	kernel/port_inspect_link.c kernel/port_mux.c
kernel.SRCS += kernel/port_gdbstub.c kernel/port_gdbstub_memory.c kernel/port_gdbstub_state.c
kernel.SRCS += kernel/selftest/mm_bench.c kernel/selftest/mm_memory.c kernel/selftest/mm_tables.c kernel/selftest/inspect_bench.c

LD ?= ld
ifeq ($(origin LD),default)
LD := ld
endif
KERNEL_LDS := kernel/boot/vitrine.lds
KERNEL_LDFLAGS := -nostdlib -static -T $(KERNEL_LDS) --build-id=sha1 -z max-page-size=4096 \
	-z noexecstack
# max-page-size: the file's segments are page aligned, not 2 MiB aligned

KERNEL_LINK = $(BUILD)/kernel
KSYMS = NM='$(NM)' scripts/ksyms

# First link with an empty symbol table, second with that of the first; the table lies last, so no
# address moves, and the build fails if one does.
$(KERNEL_LINK)/ksyms-empty.S: scripts/ksyms
	$(Q)mkdir -p $(@D) && $(KSYMS) empty >$@

$(KERNEL_LINK)/ksyms-full.S: $(KERNEL_LINK)/first.elf scripts/ksyms
	$(call say,KSYMS,$@)
	$(Q)$(KSYMS) table $< >$@

$(KERNEL_LINK)/ksyms-%.o: $(KERNEL_LINK)/ksyms-%.S
	$(Q)$(CC) -c $< -o $@

$(KERNEL_LINK)/first.elf: $(KERNEL_OBJS) $(KERNEL_LINK)/ksyms-empty.o $(KERNEL_LDS)
	$(call say,LD,$@)
	$(Q)$(LD) $(KERNEL_LDFLAGS) $(KERNEL_OBJS) $(KERNEL_LINK)/ksyms-empty.o -o $@

$(KERNEL_ELF): $(KERNEL_LINK)/first.elf $(KERNEL_LINK)/ksyms-full.o
	$(call say,LD,$@)
	$(Q)$(LD) $(KERNEL_LDFLAGS) $(KERNEL_OBJS) $(KERNEL_LINK)/ksyms-full.o -o $@.tmp
	$(Q)$(KSYMS) verify $< $@.tmp && mv $@.tmp $@

.PRECIOUS: $(KERNEL_LINK)/ksyms-%.S

# ---- the ISO: the same file by GRUB and Multiboot2, from BIOS and UEFI ---------------------------
ISO_ROOT = $(BUILD)/kernel/iso
GRUB_MKRESCUE ?= grub-mkrescue
# Only what grub.cfg uses, and what GRUB's own start insists on: a small image starts quickly.
ISO_MODULES := multiboot2 normal iso9660 all_video $(addprefix part_,acorn amiga apple bsd dfly \
	dvh gpt msdos plan sun sunpc)

# The very same link, without what only debuggers read: GRUB loads every section it finds, and its
# UEFI version cannot read one of 64 KiB or more to the address 0 that it gives them.
$(KERNEL_ISO): $(KERNEL_ELF) kernel/boot/grub.cfg
	$(call say,ISO,$@)
	$(Q)command -v $(GRUB_MKRESCUE) >/dev/null || { echo '$(GRUB_MKRESCUE) is missing;' \
		'scripts/deps test installs it (Debian: grub-common, grub-pc-bin, grub-efi-amd64-bin)' >&2; exit 1; }
	$(Q)rm -rf $(ISO_ROOT) && mkdir -p $(ISO_ROOT)/boot/grub
	$(Q)cp kernel/boot/grub.cfg $(ISO_ROOT)/boot/grub/grub.cfg
	$(Q)$(OBJCOPY) --strip-all $(KERNEL_ELF) $(ISO_ROOT)/boot/vitrine.elf
	$(Q)$(GRUB_MKRESCUE) --install-modules='$(ISO_MODULES)' --locales= --fonts= --themes= \
		-o $@.tmp $(ISO_ROOT) >$(BUILD)/kernel/iso.log 2>&1 || \
		{ cat $(BUILD)/kernel/iso.log >&2; exit 1; }
	$(Q)mv $@.tmp $@

# ---- host tests ---------------------------------------------------------------------------------
PROGS += kernel-memmap
kernel-memmap.kind := test
kernel-memmap.srcs := kernel/test/test_memmap.c kernel/core/memmap.c
kernel-memmap.libs := -lcmocka

PROGS += kernel-printf kernel-log kernel-params
kernel-printf.kind := test
kernel-printf.srcs := kernel/core/test/test_printf.c kernel/core/printf.c
kernel-printf.libs := -lcmocka

kernel-log.kind := test
kernel-log.srcs := kernel/core/test/test_log.c kernel/core/log.c kernel/core/printf.c
kernel-log.libs := -lcmocka -lpthread

kernel-params.kind := test
kernel-params.srcs := kernel/core/test/test_params.c kernel/core/params.c kernel/core/glob.c \
	kernel/core/printf.c
kernel-params.libs := -lcmocka

PROGS += kernel-virtqueue kernel-virtqueue-smoke fuzz-virtqueue
kernel-virtqueue.kind := test
kernel-virtqueue.srcs := kernel/drivers/test/test_virtqueue.c kernel/drivers/virtqueue.c
kernel-virtqueue.libs := -lcmocka

kernel-virtqueue-smoke.kind := test
kernel-virtqueue-smoke.srcs := kernel/test/fuzz_smoke.c kernel/drivers/test/fuzz_virtqueue.c \
	kernel/drivers/virtqueue.c

fuzz-virtqueue.kind := fuzz
fuzz-virtqueue.srcs := kernel/drivers/test/fuzz_virtqueue.c kernel/drivers/virtqueue.c

params.host := kernel/core/params.c kernel/core/glob.c kernel/core/printf.c \
	kernel/workload/test/log_host.c
PROGS += kernel-params-smoke fuzz-params
kernel-params-smoke.kind := test
kernel-params-smoke.srcs := kernel/test/fuzz_smoke.c kernel/core/test/fuzz_params.c $(params.host)
fuzz-params.kind := fuzz
fuzz-params.srcs := kernel/core/test/fuzz_params.c $(params.host)

PROGS += kernel-workload-smoke fuzz-workload
kernel-workload-smoke.kind := test
kernel-workload-smoke.units := mm
kernel-workload-smoke.srcs := kernel/test/fuzz_smoke.c kernel/workload/test/fuzz_workload.c \
	$(workload.programs) $(params.host) mm/test/port/port_host.c
fuzz-workload.kind := fuzz
fuzz-workload.units := mm
fuzz-workload.srcs := kernel/workload/test/fuzz_workload.c $(workload.programs) $(params.host) \
	mm/test/port/port_host.c

PROGS += kernel-workload
kernel-workload.kind := test
kernel-workload.units := mm
kernel-workload.srcs := kernel/workload/test/test_workload.c $(workload.programs) \
	kernel/core/params.c kernel/core/printf.c kernel/workload/test/log_host.c \
	mm/test/port/port_host.c
kernel-workload.libs := -lcmocka

TAP_TESTS += kernel/core/test/crash.bats kernel/core/test/panic.bats kernel/drivers/test/virtio.bats kernel/drivers/test/uart.bats
TAP_TESTS += kernel/workload/test/sites.bats

PROGS += kernel-boot-parse
kernel-boot-parse.kind := test
kernel-boot-parse.srcs := kernel/test/test_boot_parse.c kernel/boot/parse.c kernel/core/memmap.c
kernel-boot-parse.libs := -lcmocka

PROGS += kernel-acpi
kernel-acpi.kind := test
kernel-acpi.srcs := kernel/test/test_acpi.c kernel/x86/acpi_parse.c
kernel-acpi.libs := -lcmocka

PROGS += kernel-boot
kernel-boot.kind := fuzz
kernel-boot.srcs := kernel/test/fuzz_boot.c kernel/boot/parse.c kernel/core/memmap.c \
	kernel/x86/acpi_parse.c

PROGS += kernel-boot-smoke
kernel-boot-smoke.kind := test
kernel-boot-smoke.srcs := kernel/test/fuzz_smoke.c $(kernel-boot.srcs)

PROGS += kernel-memmap-smoke
kernel-memmap-smoke.kind := test
kernel-memmap-smoke.srcs := kernel/test/fuzz_smoke.c kernel/test/fuzz_memmap.c kernel/core/memmap.c

PROGS += kernel-memmap-ops
kernel-memmap-ops.kind := fuzz
kernel-memmap-ops.srcs := kernel/test/fuzz_memmap.c kernel/core/memmap.c

TAP_TESTS += tests/boot/security.bats tests/boot/memory_map.bats tests/boot/faults.bats tests/boot/machines.bats
