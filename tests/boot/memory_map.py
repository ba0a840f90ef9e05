# Run inside GDB, attached to a machine that waits at its first instruction: gives the kernel another
# memory map than the loader's, and says how many KiB of it are usable.
#
#   gdb -batch -ex 'set $case = "scrambled"' -x tests/boot/memory_map.py build/vitrine.elf
#
# VITRINE_GDB names the machine's gdb socket.
import os
import struct

import gdb

MIB = 1 << 20
DIRECT_MAP = 0xFFFF800000000000
PLACE = 30 * MIB  # of the new list: any memory that nobody uses yet
USABLE, RESERVED, ACPI = 1, 2, 3


def scrambled():
    """Forty pieces in no order, overlapping, some twice, with reserved ones inside."""
    pieces = [(i * 8 * MIB, 9 * MIB, USABLE) for i in range(1, 33)]
    pieces = pieces[16:] + pieces[:16][::-1]
    pieces += [(0, 640 << 10, USABLE), (MIB, 8 * MIB, USABLE)]
    pieces += [(100 * MIB + 5 * 4096, 4096, RESERVED), (200 * MIB, 3 * MIB, ACPI)]
    return pieces + pieces[:4]


def high():
    """Memory above 1 TiB, a hole below it, and the rest where it always is."""
    return [(1 << 40, 8 << 30, USABLE), (MIB, 255 * MIB, USABLE), (0, 640 << 10, USABLE)]


def ragged():
    """More reserved holes than the kernel's map has room for."""
    holes = [(64 * MIB + i * 65536, 4096, RESERVED) for i in range(700)]
    return [(0, 640 << 10, USABLE), (MIB, 255 * MIB, USABLE)] + holes


def wrapping():
    """Entries that are empty, that wrap, or that lie where no CPU reaches."""
    return [(MIB, 0, USABLE), ((1 << 64) - MIB, 2 * MIB, USABLE), ((1 << 50), 1 << 40, USABLE),
            ((1 << 64) - 4096, 8192, RESERVED), (MIB, 127 * MIB, USABLE)]


def small():
    """Only what the image lies in, and a little more; no low memory."""
    return [(16 * MIB, 48 * MIB, USABLE)]


def nothing():
    """No usable memory at all."""
    return [(0, 256 * MIB, RESERVED)]


def usable_kib(entries):
    """What a model of one flag for each page makes of it, below 64 TiB."""
    pages = {}
    limit = 1 << 46
    for start, length, kind in entries:
        if start + length > limit:
            continue
        for page in range(start >> 12, (start + length) >> 12):
            pages[page] = max(pages.get(page, 0), 1 if kind == USABLE else 2)
    return sum(4 for kind in pages.values() if kind == 1)


def main():
    case = gdb.convenience_variable("case").string()
    entries = globals()[case]()
    gdb.execute("set pagination off")
    gdb.execute("target remote " + os.environ["VITRINE_GDB"])
    gdb.execute("hbreak boot_parse_pvh")
    gdb.execute("continue")
    memory = gdb.selected_inferior()
    start_info = DIRECT_MAP + int(gdb.parse_and_eval("$rsi"))
    listed = b"".join(struct.pack("<QQII", *entry, 0) for entry in entries)
    memory.write_memory(DIRECT_MAP + PLACE, listed)
    memory.write_memory(start_info + 40, struct.pack("<QI", PLACE, len(entries)))
    print("expected %d KiB" % usable_kib(entries))
    gdb.execute("delete")
    gdb.execute("detach")


main()
