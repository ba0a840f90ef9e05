"""GDB commands for the Vitrine kernel: `help mm` lists them.

They read the stopped kernel's memory and nothing else, so they work the same through the kernel's
own stub, through QEMU's, and on a core from `dump-guest-memory -p`. Memory is read in whole arrays
(a field at a time would cost a round trip each); types and offsets come from DWARF, so the script
follows the source. With -json each command prints what the inspector would answer, byte for byte.
"""

import json
import re
import struct
import time
import zlib
from collections import namedtuple

import gdb

FRAME_SHIFT, GRANULE_SHIFT, PAGE_SHIFT = 21, 16, 12
FRAME, GRANULE, PAGE = 1 << FRAME_SHIFT, 1 << GRANULE_SHIFT, 1 << PAGE_SHIFT
FRAME_GRANULES = FRAME // GRANULE
ENTRY_ADDRESS = 0x000FFFFFFFFFF000
P, RW, US, PWT, PCD, ACCESSED, DIRTY, LARGE, GLOBAL = [1 << n for n in range(9)]
XD = 1 << 63
USER_LAST, KERNEL_FIRST, LAST = 0x00007FFFFFFFFFFF, 0xFFFF800000000000, 0xFFFFFFFFFFFFFFFF
CLASS_TABLE, CLASS_FIRST = 3, 4  # see "classes" in mm/state.h
REMOTE_CELL, REMOTE_WORD = 32, 1
NOTE_BORN = 1 << 30
ATTRS = ("PAGE_PGT_MAPPED", "PAGE_KERNEL_INIT", "PAGE_DEVICE", "PAGE_KERNEL", "PAGE_SHARED")
STATES = ("free", "kernel", "slab", "allocated", "reserved", "hole")
LEVELS = ("error", "warn", "info", "debug")
SITE_SLOTS = 2048  # MM_SITE_SLOTS of mm/state.h


def fail(text):
    raise gdb.GdbError(text)


# ---- memory and types ----------------------------------------------------------------------------


def read(address, size):
    """`size` bytes of kernel memory."""
    if size == 0:
        return b""
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except gdb.MemoryError:
        fail("memory at 0x%x (%d bytes) cannot be read" % (address, size))


def symbol(name, source=None):
    """A variable of the kernel, as a gdb.Value."""
    try:
        return gdb.parse_and_eval("'%s'::%s" % (source, name) if source else name)
    except gdb.error:
        fail("no symbol '%s': load build/vitrine.elf (file build/vitrine.elf)" % name)


def address_of(value):
    return int(value.address.cast(gdb.lookup_type("unsigned long")))


def struct_type(name, near="mm_note_alloc"):
    """A struct as the source file of function `near` knows it: names may occur twice."""
    address = address_of(symbol(near))
    try:
        return gdb.lookup_type("struct " + name, gdb.block_for_pc(address))
    except gdb.error:
        fail("the symbols know no struct %s" % name)


def field_format(kind):
    """struct-module format of a DWARF type and how many values it yields."""
    kind = kind.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_ARRAY:
        low, high = kind.range()
        if kind.target().strip_typedefs().sizeof == 1:
            return "%ds" % (high - low + 1), 1
        one, count = field_format(kind.target())
        return one * (high - low + 1), count * (high - low + 1)
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        first = kind.fields()[0]
        inner, count = field_format(first.type)
        return inner + "x" * (kind.sizeof - struct.calcsize("<" + inner)), count
    return {1: "B", 2: "H", 4: "I", 8: "Q"}[kind.sizeof], 1


class Layout:
    """Reads chosen fields of arrays of one C type in bulk."""

    cache = {}

    def __init__(self, kind, names):
        self.size = kind.sizeof
        places = sorted((f.bitpos // 8, f) for f in kind.fields() if f.name in names)
        if len(places) != len(names):
            fail("type %s lacks one of: %s" % (kind, " ".join(names)))
        text, at, self.arrays, index = "<", 0, {}, 0
        for offset, field in places:
            form, count = field_format(field.type)
            text += "x" * (offset - at) + form
            at = offset + struct.calcsize("<" + form)
            self.arrays[field.name] = (index, count)
            index += count
        self.struct = struct.Struct(text + "x" * (self.size - at))
        self.offset = {f.name: offset for offset, f in places}
        self.row = namedtuple("row", [f.name for _, f in places])

    @classmethod
    def of(cls, kind, names):
        key = (str(kind), tuple(names))
        if key not in cls.cache:
            cls.cache[key] = cls(kind.strip_typedefs(), names.split())
        return cls.cache[key]

    def make(self, values):
        return self.row(
            *(values[i] if n == 1 else values[i : i + n] for i, n in self.arrays.values())
        )

    def array(self, address, count):
        return [self.make(v) for v in self.struct.iter_unpack(read(address, self.size * count))]

    def one(self, address):
        return self.array(address, 1)[0]


def text_of(raw):
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def read_scattered(addresses, size):
    """{address: bytes}; neighbours within 16 KiB come in one read."""
    result, pending = {}, sorted(set(addresses))
    while pending:
        start, group = pending[0], []
        while pending and pending[0] + size - start <= 16384:
            group.append(pending.pop(0))
        block = read(start, group[-1] + size - start)
        for address in group:
            result[address] = block[address - start : address - start + size]
    return result


def words_of(data):
    return struct.unpack("<%dQ" % (len(data) // 8), data)


# ---- the memory manager --------------------------------------------------------------------------

Frame = namedtuple("Frame", "zone state attr refs site birth_us head")
Slab = namedtuple("Slab", "addr shift objects used live owner table")


class Kernel:
    """mm/ as it lies in memory. One object per command: nothing is kept between stops."""

    def __init__(self):
        machine = symbol("mm_machine")
        if not bool(machine["ready"]):
            fail("mm/ is not up yet: the kernel stopped before port_mm_init()")
        self.direct_base = int(machine["direct_base"])
        self.direct_limit = int(machine["direct_limit"])
        self.zones_at = Layout.of(
            symbol("mm_zones").type.target(),
            "bits words frames pages word first_frame end_frame given returned shared failed",
        ).array(address_of(symbol("mm_zones")), self.zone_count())
        self.page_layout = Layout.of(
            struct_type("Page"),
            "frame attr refs run_frames granules site birth_us notes",
        )
        self.zone_cache, self.slab_cache, self.cpu_cache = {}, None, None

    @staticmethod
    def zone_count():
        return symbol("mm_zones").type.range()[1] + 1

    @staticmethod
    def zone_names():
        names = symbol("mm_zone_names")
        return [names[i].string() for i in range(Kernel.zone_count())]

    # -- addresses --

    def virt(self, pa):
        return self.direct_base + pa if pa < self.direct_limit else None

    def phys_direct(self, va):
        return va - self.direct_base if 0 <= va - self.direct_base < self.direct_limit else None

    # -- counters --

    def cpus(self):
        if self.cpu_cache is None:
            count = int(symbol("mm_cpu_limit"))
            pointers = words_of(read(address_of(symbol("mm_cpus")), 8 * count))
            layout = Layout.of(struct_type("mm_cpu"), "allocs frees frame")
            self.cpu_cache = [layout.one(p) for p in pointers if p]
        return self.cpu_cache

    def classes(self):
        value = symbol("mm_classes")
        layout = Layout.of(value.type.target(), "slabs failed")
        return layout.array(address_of(value), value.type.range()[1] + 1)

    @staticmethod
    def class_shift(cls):
        return PAGE_SHIFT if cls == CLASS_TABLE else cls + 1

    def class_counts(self, cls):
        slot = CLASS_TABLE if cls == CLASS_TABLE else self.class_shift(cls)
        return (
            sum(cpu.allocs[cls] for cpu in self.cpus()),
            sum(cpu.frees[slot] for cpu in self.cpus()),
        )

    def all_classes(self):
        return range(CLASS_TABLE, symbol("mm_classes").type.range()[1] + 1)

    def generation(self):
        total = int(symbol("mm_gen_extra"))
        total += sum(sum(self.class_counts(cls)) for cls in self.all_classes())
        total += sum(z.given + z.returned + z.failed for z in self.zones_at)
        return total & LAST

    def taken(self, zone):
        return (zone.given - zone.returned) & LAST

    def stat(self):
        total = int(symbol("mm_map")["report"]["managed"])
        used = min(sum(self.taken(z) for z in self.zones_at) << FRAME_SHIFT, total)
        shared = min(sum(z.shared for z in self.zones_at) << FRAME_SHIFT, used)
        backing = min(int(symbol("mm_pool")["frames"]) << FRAME_SHIFT, used)
        cache_used = 0
        for cls in self.all_classes():
            allocs, frees = self.class_counts(cls)
            cache_used += max(allocs - frees, 0) << self.class_shift(cls)
        cache_used = min(cache_used, backing)
        return {
            "total": total,
            "used": used,
            "free": total - used,
            "shared": shared,
            "cache_used": cache_used,
            "cache_free": backing - cache_used,
            "available": total - used + backing - cache_used,
            "gen": self.generation(),
        }

    def caches(self):
        rows, classes = [], self.classes()
        for cls in range(CLASS_FIRST, len(classes)):
            row = dict.fromkeys(
                "size slabs objects used free bytes allocs frees failed".split(), 0
            )
            row["size"] = 1 << self.class_shift(cls)
            self.add_class(row, cls, classes)
            if row["size"] == PAGE:
                self.add_class(row, CLASS_TABLE, classes)
            row["used"] = min(row["used"], row["objects"])
            row["free"] = row["objects"] - row["used"]
            rows.append(row)
        return rows

    def add_class(self, row, cls, classes):
        shift = self.class_shift(cls)
        per_slab = 1 if shift >= GRANULE_SHIFT else GRANULE >> shift
        slabs = classes[cls].slabs
        allocs, frees = self.class_counts(cls)
        row["slabs"] += slabs
        row["objects"] += slabs * per_slab
        row["used"] += max(allocs - frees, 0)
        row["bytes"] += slabs * per_slab << shift
        row["allocs"] += allocs
        row["frees"] += frees
        row["failed"] += classes[cls].failed

    # -- frames --

    def zone_arrays(self, index):
        """Pages and bitmap words of a zone, read once."""
        if index not in self.zone_cache:
            zone = self.zones_at[index]
            words = Layout.of(struct_type("frame_word"), "free alloc slab kernel hint")
            self.zone_cache[index] = (
                self.page_layout.array(zone.pages, zone.bits) if zone.bits else [],
                words.array(zone.word, zone.words) if zone.words else [],
            )
        return self.zone_cache[index]

    def frame(self, index, bit):
        pages, words = self.zone_arrays(index)
        word, mask, page = words[bit // 64], 1 << bit % 64, pages[bit]
        mapped = 0 if index == self.zone_count() - 1 else 1
        if page.run_frames == 1 or word.alloc & mask:
            head = bit
            while head and not pages[head].run_frames:
                head -= 1
            first = pages[head]
            return Frame(index, "allocated", first.attr, first.refs, first.site,
                         first.birth_us, head)
        if word.slab & mask:
            return Frame(index, "slab", 8 | mapped, 0, 0, 0, bit)
        if word.kernel & mask:
            return Frame(index, "kernel", 8 | 2 | mapped, 0, 0, 0, bit)
        return Frame(index, "free", 0, 0, 0, 0, bit)

    def extents(self):
        memory_map = symbol("mm_map")
        layout = Layout.of(memory_map["extents"].type.target(), "first frames bit zone")
        rows = layout.array(int(memory_map["extents"]), int(memory_map["count"]))
        return [(r.first, r.frames, r.bit, r.zone if r.zone < 1 << 31 else -1) for r in rows]

    def locate(self, pa):
        """(zone, bit) of the frame at a physical address, or None."""
        number = pa >> FRAME_SHIFT
        for first, frames, bit, zone in self.extents():
            if first <= number < first + frames:
                return (zone, bit + number - first) if zone >= 0 else None
        return None

    def frame_stretches(self):
        """(frame number, count, zone or -1, state, attr, refs), ascending, not merged."""
        at = 0
        for first, frames, bit, zone in self.extents():
            if at < first:
                yield at, first - at, -1, "hole", 0, 0
            at = first + frames
            if zone < 0:
                yield first, frames, -1, "reserved", 0, 0
                continue
            for i in range(frames):
                f = self.frame(zone, bit + i)
                yield first + i, 1, zone, f.state, f.attr, f.refs

    def frame_runs(self, low=0, high=None):
        runs = []
        for first, count, *kind in self.frame_stretches():
            end = first + count if high is None else min(first + count, high)
            first = max(first, low)
            if first >= end:
                continue
            if runs and runs[-1][2:] == kind and runs[-1][0] + runs[-1][1] == first:
                runs[-1][1] += end - first
            else:
                runs.append([first, end - first] + kind)
        return runs

    def free_runs_longest(self, index):
        """The longest run of free frames; runs go on from word to word."""
        bits = "".join("{:064b}".format(w.free)[::-1] for w in self.zone_arrays(index)[1])
        return max((len(run) for run in bits.split("0")), default=0)

    def zones(self):
        rows = []
        for index, (zone, name) in enumerate(zip(self.zones_at, self.zone_names())):
            taken = min(self.taken(zone), zone.frames)
            free = zone.frames - taken
            rows.append({
                "name": name,
                "start": hex(zone.first_frame << FRAME_SHIFT),
                "end": hex(zone.end_frame << FRAME_SHIFT),
                "frames": zone.frames,
                "free": free,
                "used": taken,
                "reserved": zone.end_frame - zone.first_frame - zone.frames,
                "largest_free_run": self.free_runs_longest(index) or (1 if free else 0),
            })
        return rows

    # -- slabs --

    def slab_layout(self):
        return Layout.of(
            symbol("mm_slabs").type.target(), "start bits owner shift state used cls listed word"
        )

    def slab_at(self, va):
        mask = int(symbol("mm_slab_mask"))
        return int(symbol("mm_slabs")) + ((va >> (GRANULE_SHIFT - 6)) & mask)

    def slabs(self):
        """Every slab, ascending."""
        if self.slab_cache is not None:
            return self.slab_cache
        addresses = []
        for first, count, zone, state, _, _ in self.frame_runs():
            if state == "slab":
                addresses += [self.virt((first + i) << FRAME_SHIFT) for i in range(count)]
        layout = self.slab_layout()
        blocks = read_scattered([self.slab_at(va) for va in addresses],
                                layout.size * FRAME_GRANULES)
        head, heads = int(symbol("SLAB_HEAD")), []
        for va in addresses:
            at = self.slab_at(va)
            for i, row in enumerate(layout.struct.iter_unpack(blocks[at])):
                row = layout.make(row)
                if row.state == head and row.start == va + i * GRANULE:
                    heads.append((at + i * layout.size, row))
        self.slab_cache = self.describe_slabs(heads, layout)
        return self.slab_cache

    @staticmethod
    def describe_slabs(heads, layout):
        inline = layout.offset["word"]
        cells = read_scattered([r.bits for at, r in heads if r.bits != at + inline], 512)
        result = []
        for at, row in heads:
            objects = 1 if row.shift >= GRANULE_SHIFT else GRANULE >> row.shift
            words = (objects + 63) // 64
            if row.bits == at + inline:
                free = row.word[0] | row.word[REMOTE_WORD]
            else:
                cell = words_of(cells[row.bits])
                free = sum((cell[i] | cell[REMOTE_CELL + i]) << 64 * i for i in range(words))
            live = ~free & ((1 << objects) - 1)
            result.append(Slab(row.start, row.shift, objects, bin(live).count("1"), live,
                               row.owner, row.cls == CLASS_TABLE))
        return result

    def slab_of(self, va):
        """(Slab, index, object address) around an address, or None."""
        if self.phys_direct(va) is None:
            return None
        layout, at = self.slab_layout(), self.slab_at(va)
        row = layout.one(at)
        if row.state == int(symbol("SLAB_BODY")):
            at = self.slab_at(row.start)
            row = layout.one(at)
        size = GRANULE << max(row.shift - GRANULE_SHIFT, 0)
        if row.state != int(symbol("SLAB_HEAD")) or not 0 <= va - row.start < size:
            return None
        slab = self.describe_slabs([(at, row)], layout)[0]
        index = (va - row.start) >> row.shift
        return slab, index, row.start + (index << row.shift)

    def note(self, slab, index):
        """(site, birth_us) of an object, when attribution knew it."""
        where = self.locate(self.phys_direct(slab.addr))
        if where is None:
            return None
        table = self.zone_arrays(where[0])[0][where[1]].notes
        if not table:
            return None
        granule = (slab.addr >> GRANULE_SHIFT) % FRAME_GRANULES
        notes = words_of(read(table + 8 * granule, 8))[0]
        if not notes:
            return None
        layout = Layout.of(struct_type("note"), "site requested birth_us")
        note = layout.one(notes + layout.size * index)
        if not note.requested & NOTE_BORN:
            return None
        return self.site_address(note.site), note.birth_us

    @staticmethod
    def site_table():
        return symbol("mm_sites")

    def site_address(self, number):
        table = self.site_table()
        if not int(table) or not number:
            return 0
        return int(table[number]["site"])

    def object(self, va):
        """What lies at an address: (kind, base, size, used, note)."""
        image = [address_of(symbol(n)) for n in ("image_start", "image_end")]
        if image[0] <= va < image[1]:
            return "image", image[0], image[1] - image[0], True, None
        pa = self.phys_direct(va)
        where = self.locate(pa) if pa is not None else None
        if where is None:
            return "none", None, 0, False, None
        found = self.slab_of(va)
        if found:
            slab, index, base = found
            used = bool(slab.live >> index & 1)
            kind = "table" if slab.table and used else "slab"
            return kind, base, 1 << slab.shift, used, self.note(slab, index)
        return self.frame_object(*where)

    def frame_object(self, zone, bit):
        frame = self.frame(zone, bit)
        page = self.zone_arrays(zone)[0][frame.head]
        count = page.run_frames if frame.state == "allocated" else 1
        note = (frame.site, frame.birth_us) if frame.site else None
        kind = "image" if frame.state == "kernel" else "frame"
        return kind, page.frame << FRAME_SHIFT, count << FRAME_SHIFT, frame.state != "free", note

    # -- spaces and tables --

    def spaces(self):
        layout = Layout.of(
            struct_type("mm_space", "mm_space_current"),
            "id root active tables mapped_bytes name next",
        )
        at, kernel_at = int(symbol("mm_spaces")["first"]), address_of(symbol("mm_kernel_space"))
        root, rows = current_root(), []
        while at:
            row = layout.one(at)
            rows.append((row, row.root == root or (at != kernel_at and row.active != 0)))
            at = row.next
        rows.sort(key=lambda pair: pair[0].id)
        # A core does not tell CR3: the kernel's own space, the first, is what no other one is.
        if root is None and rows and not any(current for _, current in rows):
            rows[0] = (rows[0][0], True)
        return rows

    def space(self, number=None):
        rows = self.spaces()
        for row, current in rows:
            if row.id == number or (number is None and current):
                return row
        if number is None and rows:
            return rows[0][0]
        fail("there is no space %s" % number)

    def table(self, pa):
        return words_of(read(self.virt(pa), PAGE))

    def levels(self, root, va):
        """[(level, index, at, entry)] and the leaf (pa, page, flags) or None."""
        steps, allow, deny, table = [], RW | US, 0, root
        for level in (4, 3, 2, 1):
            shift = 3 + 9 * level
            index = va >> shift & 511
            at = table + 8 * index
            entry = words_of(read(self.virt(at), 8))[0]
            steps.append((level, index, at, entry))
            if not entry & P:
                return steps, None
            if level == 1 or entry & LARGE:
                size = 1 << shift
                pa = (entry & ENTRY_ADDRESS & ~(size - 1)) + (va & (size - 1))
                return steps, (pa, size, effective(allow, deny, entry))
            allow, deny, table = allow & entry, deny | entry & XD, entry & ENTRY_ADDRESS
            if self.virt(table) is None:
                return steps, None
        return steps, None

    def leaves(self, table, level, allow, deny, base, low, high):
        """(va, pa, page, effective flags) of the leaves that touch [low, high]."""
        shift = 3 + 9 * level
        for index, entry in enumerate(self.table(table)):
            if not entry & P:
                continue
            va = base + (index << shift)
            if level == 4 and index >= 256:
                va |= 0xFFFF << 48
            if va > high or va + (1 << shift) - 1 < low:
                continue
            if level == 1 or entry & LARGE:
                pa = entry & ENTRY_ADDRESS & ~((1 << shift) - 1)
                yield va, pa, 1 << shift, effective(allow, deny, entry)
            elif self.virt(entry & ENTRY_ADDRESS) is not None:
                yield from self.leaves(entry & ENTRY_ADDRESS, level - 1, allow & entry,
                                       deny | entry & XD, va, low, high)

    def mappings(self, root, low=0, high=LAST, ad=False):
        """[va, pa, length, page, flags]: neighbours that continue are one."""
        shown = RW | US | XD | PWT | PCD | GLOBAL | (ACCESSED | DIRTY if ad else 0)
        low, high, runs = low & ~(PAGE - 1), high | (PAGE - 1), []
        for va, pa, page, flags in self.leaves(root, 4, RW | US, 0, 0, low, high):
            start, last = max(va, low), min(va + page - 1, high)
            pa, length, flags = pa + start - va, last - start + 1, flags & shown
            run = runs[-1] if runs else None
            if run and run[0] + run[2] == start and run[1] + run[2] == pa and (
                run[3:] == [page, flags]
            ):
                run[2] += length
            else:
                runs.append([start, pa, length, page, flags])
        return runs

    def count_tables(self, table, level, half):
        count = 1
        if level == 1:
            return count
        entries = self.table(table)
        for entry in entries[:256] if half and level == 4 else entries:
            if entry & P and not entry & LARGE and self.virt(entry & ENTRY_ADDRESS) is not None:
                count += self.count_tables(entry & ENTRY_ADDRESS, level - 1, half)
        return count


def effective(allow, deny, leaf):
    own = PWT | PCD | GLOBAL | ACCESSED | DIRTY
    return (leaf & (RW | US) & allow) | ((leaf | deny) & XD) | (leaf & own)


def current_root():
    """CR3 of the selected CPU; None where registers do not have it (a core)."""
    try:
        return int(gdb.selected_frame().read_register("cr3")) & ENTRY_ADDRESS
    except (ValueError, gdb.error):
        return None


def rights(flags, ad=False):
    letters = [("w", flags & RW), ("x", not flags & XD), ("u", flags & US),
               ("g", flags & GLOBAL), ("t", flags & PWT), ("c", flags & PCD)]
    if ad:
        letters += [("a", flags & ACCESSED), ("d", flags & DIRTY)]
    return "".join(letter if on else "-" for letter, on in letters)


def code_name(address):
    """name+0x12 as the kernel's own symbol table has it, or ""."""
    text = gdb.execute("info symbol 0x%x" % address, to_string=True)
    match = re.match(r"(\S+)(?: \+ (\d+))? in section", text)
    if not match:
        return ""
    return match[1] + ("+0x%x" % int(match[2]) if match[2] else "")


def now_us():
    """The latest moment that memory tells of: the clock itself is not readable from here."""
    latest = max((line["t_us"] for line in log_lines(0)), default=0)
    for thread in threads():
        latest = max(latest, thread["switched_in_us"])
    return latest


def log_lines(since):
    source = "kernel/core/log.c"
    slots, following = symbol("slots", source), int(symbol("next_seq", source))
    count = slots.type.range()[1] + 1
    layout = Layout.of(slots.type.target(), "stamp t_us level len text")
    rows, lines = layout.array(address_of(slots), count), []
    for seq in range(max(since, following - count, 0), following):
        row = rows[seq % count]
        if row.stamp == 2 * seq + 2:
            text = row.text[: row.len].decode("utf-8", "replace")
            lines.append({"seq": seq, "t_us": row.t_us, "level": LEVELS[row.level], "text": text})
    return lines


def threads():
    source = "kernel/core/thread.c"
    layout = Layout.of(
        struct_type("thread", "thread_visit"),
        "rsp id cpu state priority idle waiting_for all_next runtime_ns switched_in_ns switches "
        "name",
    )
    at, rows = int(symbol("table", source)["first"]), []
    states = ("ready", "running", "waiting", "dead")
    while at:
        row = layout.one(at)
        waiting = row.state == 2 and row.waiting_for
        rows.append({
            "id": row.id,
            "name": text_of(row.name),
            "state": states[row.state] if row.state < 4 else "?",
            "cpu": row.cpu,
            "priority": ("low", "normal", "high")[row.priority] if row.priority < 3 else "?",
            "waiting_for": gdb.Value(row.waiting_for)
            .cast(gdb.lookup_type("char").pointer()).string() if waiting else None,
            "runtime_us": row.runtime_ns // 1000,
            "switches": row.switches,
            "switched_in_us": row.switched_in_ns // 1000,
        })
        at = row.all_next
    return sorted(rows, key=lambda row: row["id"])


# ---- answers: the result objects of the inspector ------------------------------------------------


def object_result(kernel, va):
    kind, base, size, used, note = kernel.object(va)
    result = {"addr": hex(va), "kind": kind, "base": None if base is None else hex(base),
              "size": size, "state": "used" if used else "free"}
    if note:
        result["site"] = hex(note[0])
        if code_name(note[0]):
            result["symbol"] = code_name(note[0])
        result["age_us"] = max(now_us() - note[1], 0)
    elif kind == "image" and code_name(va):
        result["symbol"] = code_name(va)
    result["gen"] = kernel.generation()
    return result


def slab_rows(slab):
    """The slab's item; one with more than 64 runs goes on in the next."""
    runs = [[m.start(), m.end() - m.start()]
            for m in re.finditer("1+", "{:b}".format(slab.live)[::-1])]
    head = {"addr": hex(slab.addr), "size": 1 << slab.shift, "objects": slab.objects,
            "used": slab.used}
    return [dict(head, used_runs=runs[i : i + 64]) for i in range(0, max(len(runs), 1), 64)]


def frames_result(kernel, zone=None):
    names, low, high = kernel.zone_names(), 0, None
    if zone is not None:
        low, high = kernel.zones_at[zone].first_frame, kernel.zones_at[zone].end_frame
    runs = [{"pa": hex(first << FRAME_SHIFT), "count": count,
             "zone": names[where] if where >= 0 else None, "state": state,
             "attr": [name for i, name in enumerate(ATTRS) if attr >> i & 1], "refs": refs}
            for first, count, where, state, attr, refs in kernel.frame_runs(low, high)
            if zone is None or where == zone]
    return {"runs": runs, "next": None, "gen": kernel.generation()}


def mappings_result(kernel, space):
    runs = [{"va": hex(va), "pa": hex(pa), "len": length, "page": page, "flags": rights(flags)}
            for va, pa, length, page, flags in kernel.mappings(space.root)]
    return {"runs": runs, "next": None, "gen": kernel.generation()}


def translate_result(kernel, va, space):
    steps, leaf = kernel.levels(space.root, va)
    return {
        "va": hex(va),
        "pa": hex(leaf[0]) if leaf else None,
        "page": leaf[1] if leaf else None,
        "flags": rights(leaf[2]) if leaf else None,
        "levels": [{"level": level, "index": index, "at": hex(at), "entry": hex(entry)}
                   for level, index, at, entry in steps],
        "gen": kernel.generation(),
    }


def rmap_result(kernel, pa, length):
    runs, last = [], pa + length - 1
    for space, _ in kernel.spaces():
        high = LAST if space.id == 0 else USER_LAST
        for va, start, size, _, _ in kernel.mappings(space.root, 0, high):
            low, top = max(start, pa), min(start + size - 1, last)
            if low <= top:
                runs.append({"space": space.id, "va": hex(va + low - start), "pa": hex(low),
                             "len": top - low + 1})
    return {"runs": runs, "next": None, "gen": kernel.generation()}


def spaces_result(kernel):
    rows = [{"id": row.id, "name": text_of(row.name), "root": hex(row.root), "current": current,
             "tables": row.tables, "mapped_bytes": row.mapped_bytes}
            for row, current in kernel.spaces()]
    return {"spaces": rows, "next": None, "gen": kernel.generation()}


def sites_result(kernel):
    table, rows = kernel.site_table(), []
    if not int(table):
        fail("attribution is off: there are no sites (trace=on, or monitor trace.start)")
    layout = Layout.of(table.type.target(), "site allocs frees live_objects live_bytes")
    for row in layout.array(int(table), SITE_SLOTS):
        if row.allocs:
            rows.append(row)
    rows.sort(key=lambda row: (-row.live_bytes, row.site))
    sites = []
    for row in rows:
        site = {"addr": hex(row.site)}
        if code_name(row.site):
            site["symbol"] = code_name(row.site)
        site.update(allocs=row.allocs, frees=row.frees, live_objects=row.live_objects,
                    live_bytes=row.live_bytes)
        sites.append(site)
    return {"sites": sites, "next": None, "gen": kernel.generation()}


class Check:
    """The invariants that memory alone can tell; each broken one in words."""

    def __init__(self, kernel):
        self.kernel, self.faults = kernel, []
        self.counted = {"frames": 0, "objects": 0, "tables": 0}
        for index in range(kernel.zone_count()):
            self.zone(index)
        self.slabs()
        self.tables()

    def expect(self, condition, text, a, b):
        if not condition:
            self.faults.append("%s: 0x%x, 0x%x" % (text, a, b))

    def zone(self, index):
        zone, (pages, words) = self.kernel.zones_at[index], self.kernel.zone_arrays(index)
        free = taken = shared = 0
        for i, word in enumerate(words):
            sets = (word.free, word.alloc, word.slab, word.kernel)
            together = word.free | word.alloc | word.slab | word.kernel
            self.expect(sum(bin(s).count("1") for s in sets) == bin(together).count("1"),
                        "frames: two states at once in word", i, together)
            free += bin(word.free).count("1")
            taken += bin(word.slab | word.kernel).count("1")
        for page in pages:
            taken += page.run_frames if page.frame != LAST else 0
            shared += page.run_frames if page.attr >> 4 & 1 and page.run_frames else 0
        cached = sum(1 for cpu in self.kernel.cpus() if cpu.frame[index])
        self.expect(self.kernel.taken(zone) == taken, "frames: count of taken frames",
                    self.kernel.taken(zone), taken)
        self.expect(zone.shared == shared, "frames: count of shared frames", zone.shared, shared)
        self.expect(zone.frames == free + cached + taken,
                    "frames: free and taken frames are not all frames", zone.frames,
                    free + cached + taken)
        self.counted["frames"] += zone.frames

    def slabs(self):
        live, count = {}, {}
        for slab in self.kernel.slabs():
            cls = CLASS_TABLE if slab.table else slab.shift - 1
            live[cls] = live.get(cls, 0) + slab.used
            count[cls] = count.get(cls, 0) + 1
            self.counted["objects"] += slab.objects
            self.expect(slab.addr % (1 << max(slab.shift, GRANULE_SHIFT)) == 0,
                        "slab: not aligned to its size", slab.addr, slab.shift)
        classes = self.kernel.classes()
        for cls in self.kernel.all_classes():
            allocs, frees = self.kernel.class_counts(cls)
            self.expect(allocs - frees == live.get(cls, 0),
                        "class: objects in use by the counters and by the bitmaps",
                        allocs - frees, live.get(cls, 0))
            self.expect(classes[cls].slabs == count.get(cls, 0), "class: count of slabs", cls,
                        classes[cls].slabs)

    def tables(self):
        for space, _ in self.kernel.spaces():
            tables = self.kernel.count_tables(space.root, 4, space.id != 0)
            self.expect(tables == space.tables, "a space counts its tables wrongly", tables,
                        space.tables)
            self.counted["tables"] += tables

    def result(self):
        return {"ok": not self.faults, "checked": self.counted, "faults": self.faults,
                "gen": self.kernel.generation()}


# ---- showing -------------------------------------------------------------------------------------


def compact(result):
    return json.dumps(result, separators=(",", ":"), ensure_ascii=False)


def size_text(count):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 10240 or unit == "GiB":
            return "%d %s" % (count, unit)
        count //= 1024
    return ""


def table(headers, rows):
    cells = [headers] + [[str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]
    for row in cells:
        print("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip())


def rows_of(items, *keys):
    def cell(value):
        if isinstance(value, list):
            return " ".join(str(v) for v in value) or "-"
        return "-" if value is None else value

    table(list(keys), [[cell(item.get(key)) for key in keys] for item in items])


# ---- commands ------------------------------------------------------------------------------------


def number(text):
    """An address or a number: anything that GDB can evaluate."""
    try:
        return int(gdb.parse_and_eval(text.replace("_", "") if text[:1].isdigit() else text)) & LAST
    except gdb.error as error:
        fail("'%s' is no address: %s" % (text, error))


class MM(gdb.Command):
    """Vitrine's memory, read from the stopped kernel. Every command takes -json."""

    def __init__(self):
        super().__init__("mm", gdb.COMMAND_DATA, prefix=True)


class MMCommand(gdb.Command):
    """Base: splits arguments, prints -json, hands the rest to answer() and show()."""

    usage, least, most = "", 0, 0

    def __init__(self, name):
        self.name = name
        super().__init__("mm " + name, gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        as_json = "-json" in words
        words = [word for word in words if word != "-json"]
        if not self.least <= len(words) <= self.most:
            fail("usage: mm %s %s[-json]" % (self.name, self.usage and self.usage + " "))
        result = self.answer(Kernel(), *words)
        if as_json:
            print(compact(result))
        else:
            self.show(result)

    def answer(self, kernel):
        raise NotImplementedError

    def show(self, result):
        raise NotImplementedError


class Stat(MMCommand):
    """mm stat: the seven figures of mm_stat()."""

    def answer(self, kernel):
        return kernel.stat()

    def show(self, result):
        for key, value in result.items():
            print("%-11s %14d%s" % (key, value, "" if key == "gen" else "  " + size_text(value)))


class Zones(MMCommand):
    """mm zones: the zones, in frames of 2 MiB."""

    def answer(self, kernel):
        return {"zones": kernel.zones(), "gen": kernel.generation()}

    def show(self, result):
        rows_of(result["zones"], "name", "start", "end", "frames", "free", "used", "reserved",
                "largest_free_run")


class Frames(MMCommand):
    """mm frames [ZONE]: runs of like frames."""

    usage, most = "[ZONE]", 1

    def answer(self, kernel, zone=None):
        names = kernel.zone_names()
        if zone is not None and zone not in names:
            fail("no zone '%s'; there are %s" % (zone, ", ".join(names)))
        return frames_result(kernel, None if zone is None else names.index(zone))

    def show(self, result):
        rows_of(result["runs"], "pa", "count", "zone", "state", "refs", "attr")


class Caches(MMCommand):
    """mm caches: the sixteen caches of kmalloc."""

    def answer(self, kernel):
        return {"caches": kernel.caches(), "gen": kernel.generation()}

    def show(self, result):
        rows_of(result["caches"], "size", "slabs", "objects", "used", "free", "bytes", "allocs",
                "frees", "failed")


class SlabCommand(MMCommand):
    """mm slab ADDR|SIZE: the slab around an address, or all slabs of a class (32 .. 1048576)."""

    usage, least, most = "ADDR|SIZE", 1, 1

    def answer(self, kernel, what):
        value = number(what)
        if 32 <= value <= 1 << 20 and not value & (value - 1):
            slabs = [slab for slab in kernel.slabs() if 1 << slab.shift == value]
        else:
            found = kernel.slab_of(value)
            if not found:
                fail("no slab at 0x%x" % value)
            slabs = [found[0]]
        rows = [row for slab in slabs for row in slab_rows(slab)]
        return {"slabs": rows, "next": None, "gen": kernel.generation()}

    def show(self, result):
        for row in result["slabs"]:
            runs = " ".join("%d" % f if n == 1 else "%d-%d" % (f, f + n - 1)
                            for f, n in row["used_runs"])
            print("%s  objects of %d B: %d of %d used: %s" % (
                row["addr"], row["size"], row["used"], row["objects"], runs or "-"))


class ObjectCommand(MMCommand):
    """mm object ADDR: what lies at an address."""

    usage, least, most = "ADDR", 1, 1

    def answer(self, kernel, what):
        return object_result(kernel, number(what))

    def show(self, result):
        if result["kind"] == "none":
            print("%s: no memory that mm/ manages" % result["addr"])
            return
        print("%s: %s of %s at %s, %s" % (result["addr"], result["kind"],
                                          size_text(result["size"]), result["base"],
                                          result["state"]))
        if "site" in result:
            print("allocated by %s %s, %d us ago" % (result["site"], result.get("symbol", ""),
                                                     result["age_us"]))
        elif "symbol" in result:
            print("in %s" % result["symbol"])


class Spaces(MMCommand):
    """mm spaces: the address spaces."""

    def answer(self, kernel):
        return spaces_result(kernel)

    def show(self, result):
        rows_of(result["spaces"], "id", "name", "root", "current", "tables", "mapped_bytes")


class Mappings(MMCommand):
    """mm mappings [SPACE]: what a space maps (the current one without a number)."""

    usage, most = "[SPACE]", 1

    def answer(self, kernel, space=None):
        return mappings_result(kernel, kernel.space(None if space is None else number(space)))

    def show(self, result):
        rows_of(result["runs"], "va", "pa", "len", "page", "flags")


class Translate(MMCommand):
    """mm translate VA [SPACE]: the walk through the tables, entry by entry."""

    usage, least, most = "VA [SPACE]", 1, 2

    def answer(self, kernel, va, space=None):
        va = number(va)
        if USER_LAST < va < KERNEL_FIRST:
            fail("0x%x is not canonical: no table can map it" % va)
        return translate_result(kernel, va, kernel.space(None if space is None else number(space)))

    def show(self, result):
        for step in result["levels"]:
            print("level %(level)d  entry %(index)3d at %(at)s  %(entry)s" % step)
        if result["pa"] is None:
            print("not mapped")
        else:
            print("%(va)s -> %(pa)s, page of %(page)d B, %(flags)s" % result)


class Rmap(MMCommand):
    """mm rmap PA [LEN]: which addresses map this physical memory."""

    usage, least, most = "PA [LEN]", 1, 2

    def answer(self, kernel, pa, length="1"):
        return rmap_result(kernel, number(pa), max(number(length), 1))

    def show(self, result):
        rows_of(result["runs"], "space", "va", "pa", "len")


class CheckCommand(MMCommand):
    """mm check: walks everything and names each broken invariant."""

    def answer(self, kernel):
        return Check(kernel).result()

    def show(self, result):
        print("%(frames)d frames, %(objects)d objects, %(tables)d tables" % result["checked"])
        for fault in result["faults"]:
            print("broken: " + fault)
        print("all is well" if result["ok"] else "%d faults" % len(result["faults"]))


class Sites(MMCommand):
    """mm sites: who holds memory, the largest first (attribution must be on)."""

    def answer(self, kernel):
        return sites_result(kernel)

    def show(self, result):
        rows_of(result["sites"], "live_bytes", "live_objects", "allocs", "frees", "addr", "symbol")


class Log(MMCommand):
    """mm log [SINCE]: the kernel's log, from a sequence number on."""

    usage, most = "[SINCE]", 1

    def answer(self, kernel, since="0"):
        return {"lines": log_lines(number(since)), "next": None}

    def show(self, result):
        for line in result["lines"]:
            print("[%5d.%06d] %s" % (line["t_us"] // 1000000, line["t_us"] % 1000000, line["text"]))


class Threads(MMCommand):
    """mm threads: the kernel's threads."""

    def answer(self, kernel):
        return {"threads": threads()}

    def show(self, result):
        rows_of(result["threads"], "id", "name", "state", "cpu", "priority", "waiting_for",
                "runtime_us", "switches")


# ---- snapshots -----------------------------------------------------------------------------------


class Snapshot(gdb.Command):
    """mm snapshot FILE: a recording of this one moment, which memviz opens (-t file:FILE)."""

    def __init__(self):
        super().__init__("mm snapshot", gdb.COMMAND_DATA, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) != 1:
            fail("usage: mm snapshot FILE")
        kernel, t_us = Kernel(), now_us()
        seq, count = 0, 0
        try:
            with open(words[0], "wb") as file:
                offset = file.write(record(snapshot_header(kernel, t_us)))
                for topic, data in snapshot_topics(kernel):
                    params = {"id": 1, "topic": topic, "full": True,
                              "gen": kernel.generation(), "data": data}
                    offset += file.write(sealed({"jsonrpc": "2.0", "method": "watch",
                                                 "params": params, "seq": seq}))
                    seq, count = seq + 1, count + 1
                file.write(record({"memviz": "index", "t_us": t_us, "records": count,
                                   "keyframes": []}))
        except OSError as error:
            fail("%s: %s" % (words[0], error.strerror))
        print("%s: %d records; open it with: memviz -t file:%s" % (words[0], count, words[0]))


def record(value):
    return b"\x1e" + compact(value).encode() + b"\n"


def sealed(value):
    """As the kernel sends it: with the CRC over all that stands before it."""
    body = compact(value).encode()[:-1]
    return b"\x1e" + body + b',"crc":"%08x"}\n' % (zlib.crc32(body) & 0xFFFFFFFF)


def snapshot_header(kernel, t_us):
    hello = {"name": "Vitrine", "version": "1.0", "protocol": 1, "session": "snapshot",
             "token": None, "build_id": build_id(), "cpus": max(len(kernel.cpus()), 1),
             "page_size": PAGE, "frame_size": FRAME, "tsc_hz": 0, "max_record": 1 << 20,
             "t_us": t_us, "access": "read",
             "features": ["batch", "crc", "events", "log", "trace", "watch", "workload"],
             "remote_window": {"va": "0x0", "len": 0}}
    return {"memviz": "recording", "version": 1, "tool": "vitrine-gdb", "target": "gdb",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "t_us": t_us,
            "hello": hello}


def build_id():
    start = address_of(symbol("build_id_start"))
    return read(start + 16, address_of(symbol("build_id_end")) - start - 16)[:20].hex()


def snapshot_topics(kernel):
    stat = kernel.stat()
    del stat["gen"]
    yield "stat", stat
    yield "zones", {"zones": kernel.zones()}
    yield "caches", {"caches": kernel.caches()}
    yield "frames", {"runs": frames_result(kernel)["runs"]}
    yield "mappings", {"removed": [], "added": all_mappings(kernel)}
    yield "log", {"lost": 0, "lines": log_lines(0)}


def all_mappings(kernel):
    added = []
    for space, _ in kernel.spaces():
        high = LAST if space.id == 0 else USER_LAST
        for va, pa, length, page, flags in kernel.mappings(space.root, 0, high):
            added.append({"space": space.id, "va": hex(va), "pa": hex(pa), "len": length,
                          "page": page, "flags": rights(flags)})
    return added


# ---- semantic breakpoints ------------------------------------------------------------------------


# Bits of a table's entry that are the kernel's own notes: how much is in the table, and whether it
# stays when it is empty (mm/pt.h).
TABLE_NOTES = 0x3FF << 52 | 1 << 9


class FreeFramesBelow(gdb.Breakpoint):
    """Stops when the free frames of a zone fall below a bound."""

    def __init__(self, index, name, bound):
        self.index, self.name, self.bound = index, name, bound
        place = symbol("mm_zones")[index]["given"]
        super().__init__("*(unsigned long *)0x%x" % address_of(place), gdb.BP_WATCHPOINT,
                         gdb.WP_WRITE)

    def stop(self):
        zone = symbol("mm_zones")[self.index]
        free = int(zone["frames"]) - ((int(zone["given"]) - int(zone["returned"])) & LAST)
        if free < self.bound:
            print("%s has %d free frames, less than %d" % (self.name, free, self.bound))
        return free < self.bound


class ObjectFreed(gdb.Breakpoint):
    """Stops when the bit of an object says that it is free."""

    def __init__(self, word, bit, base):
        self.word, self.bit, self.base = word, bit, base
        super().__init__("*(unsigned long *)0x%x" % word, gdb.BP_WATCHPOINT, gdb.WP_WRITE)

    def stop(self):
        freed = words_of(read(self.word, 8))[0] >> self.bit & 1
        if freed:
            print("object 0x%x was freed" % self.base)
        return bool(freed)


class EntryChanged(gdb.Breakpoint):
    """Stops when an entry on the way to an address is written with another mapping. `what` it is to
    the address: the entry that maps it (or would), or that of a table above, which may go as a whole."""

    def __init__(self, at, what, ignored):
        self.at, self.what, self.ignored = at, what, ignored | ACCESSED | DIRTY
        self.old = self.value()
        super().__init__("*(unsigned long *)0x%x" % at, gdb.BP_WATCHPOINT, gdb.WP_WRITE)

    def value(self):
        return words_of(read(self.at, 8))[0] & ~self.ignored

    def stop(self):
        new = self.value()
        changed = new != self.old
        if changed:
            print("%s went from 0x%x to 0x%x" % (self.what, self.old, new))
        self.old = new
        return changed


class AllocationFrom(gdb.Breakpoint):
    """Stops where an allocation returns to its site."""

    def __init__(self, site):
        self.site = site
        super().__init__("*0x%x" % site)

    def stop(self):
        value = int(gdb.selected_frame().read_register("rax")) & LAST
        print("allocation from %s returned 0x%x" % (code_name(self.site) or hex(self.site), value))
        return True


class BreakWhen(gdb.Command):
    """mm break-when CONDITION: a breakpoint on what happens in memory. CONDITION is one of
    free ZONE < N        free frames of a zone fall below N
    freed ADDR           the object at ADDR is freed
    mapping VA           the entry that maps VA (or will) changes, or one above it
    alloc SITE           an allocation returns to SITE (as mm sites and mm object show them)
They use the CPU's four debug registers: one for free, one for freed (two when another CPU may free
it), one a level for mapping (three in the kernel's half); alloc uses none."""

    def __init__(self):
        super().__init__("mm break-when", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument, from_tty):
        forms = ((r"free\s+(\w+)\s*<\s*(\S+)$", self.free), (r"freed\s+(.+)$", self.freed),
                 (r"mapping\s+(.+)$", self.mapping), (r"alloc\s+(.+)$", self.alloc))
        for pattern, make in forms:
            match = re.match(pattern, argument.strip())
            if match:
                return make(*match.groups())
        fail("mm break-when takes: free ZONE < N | freed ADDR | mapping VA | alloc SITE")

    @staticmethod
    def free(zone, bound):
        names = Kernel.zone_names()
        if zone not in names:
            fail("no zone '%s'; there are %s" % (zone, ", ".join(names)))
        FreeFramesBelow(names.index(zone), zone, number(bound))

    @staticmethod
    def freed(what):
        kernel, va = Kernel(), number(what)
        found = kernel.slab_of(va)
        if not found:
            fail("no object of kmalloc at 0x%x" % va)
        slab, index, base = found
        if not slab.live >> index & 1:
            fail("the object at 0x%x is free already" % base)
        descriptor = kernel.slab_layout().one(kernel.slab_at(slab.addr))
        word = descriptor.bits + 8 * (index // 64)
        inline = descriptor.bits == kernel.slab_at(slab.addr) + kernel.slab_layout().offset["word"]
        ObjectFreed(word, index % 64, base)
        if int(symbol("mm_cpu_limit")) > 1 and len(kernel.cpus()) > 1:
            distance = REMOTE_WORD if inline else REMOTE_CELL
            ObjectFreed(word + 8 * distance, index % 64, base)

    @staticmethod
    def mapping(what):
        kernel, va = Kernel(), number(what)
        steps, _ = kernel.levels(kernel.space().root, va)
        EntryChanged(kernel.virt(steps[-1][2]), "the entry that maps 0x%x" % va, 0)
        for level, _, at, _ in steps[-2::-1]:
            # The tables of the kernel's half are never taken out of its root.
            if level < 4 or not va >> 63:
                EntryChanged(kernel.virt(at), "the entry of level %d above 0x%x" % (level, va), TABLE_NOTES)

    @staticmethod
    def alloc(what):
        AllocationFrom(number(what))


# ---- convenience functions -----------------------------------------------------------------------


class Function(gdb.Function):
    """A function over one address."""

    def __init__(self, name, call, doc):
        self.__doc__ = doc
        self.call = call
        super().__init__(name)

    def invoke(self, argument):
        return self.call(Kernel(), int(argument.cast(gdb.lookup_type("unsigned long"))) & LAST)


def pointer(address, kind=None):
    return gdb.Value(address).cast((kind or gdb.lookup_type("void")).pointer())


def frame_function(kernel, pa):
    where = kernel.locate(pa)
    if where is None:
        fail("no zone holds the frame at physical 0x%x" % pa)
    zone, bit = where
    return pointer(kernel.zones_at[zone].pages + bit * kernel.page_layout.size, struct_type("Page"))


def phys_function(kernel, va):
    leaf = kernel.levels(kernel.space().root, va)[1]
    if leaf is None:
        fail("0x%x is not mapped" % va)
    return gdb.Value(leaf[0]).cast(gdb.lookup_type("unsigned long"))


def page_function(kernel, va):
    return frame_function(kernel, int(phys_function(kernel, va)))


def virt_function(kernel, pa):
    if kernel.virt(pa) is None:
        fail("physical 0x%x lies outside the direct map" % pa)
    return pointer(kernel.virt(pa))


def object_function(kernel, va):
    found = kernel.slab_of(va)
    if found is None:
        fail("no object of kmalloc at 0x%x" % va)
    return pointer(found[2])


# ---- pretty-printers -----------------------------------------------------------------------------


class AddressPrinter:
    """paddr_t and vaddr_t: the number."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return hex(int(self.value["value"]))


class SummaryPrinter:
    """One line in words, then the fields."""

    def __init__(self, value, summary):
        self.value, self.summary = value, summary

    def to_string(self):
        try:
            return self.summary(self.value)
        except (gdb.error, gdb.GdbError, KeyError, IndexError):
            return "unreadable"

    def children(self):
        for field in self.value.type.fields():
            if field.name:
                yield field.name, self.value[field.name]


def page_summary(page):
    if int(page["frame"]) == LAST:
        return "guard"
    attr = int(page["attr"])
    names = "|".join(name for i, name in enumerate(ATTRS) if attr >> i & 1) or "no attributes"
    return "frame at 0x%x in %s, run of %d, %d refs, %s" % (
        int(page["frame"]) << FRAME_SHIFT, Kernel.zone_names()[int(page["zone"])],
        int(page["run_frames"]), int(page["refs"]), names)


def zone_summary(zone):
    taken = (int(zone["given"]) - int(zone["returned"])) & LAST
    return "%d frames, %d free, 0x%x to 0x%x" % (
        int(zone["frames"]), int(zone["frames"]) - taken, int(zone["first_frame"]) << FRAME_SHIFT,
        int(zone["end_frame"]) << FRAME_SHIFT)


def slab_summary(slab):
    state = str(slab["state"].cast(gdb.lookup_type("enum slab_state")))
    if state != "SLAB_HEAD":
        return state
    return "slab at 0x%x of %d-byte objects" % (int(slab["start"]), 1 << int(slab["shift"]))


def space_summary(space):
    return "space %d '%s', root 0x%x, %d tables, %s mapped" % (
        int(space["id"]), space["name"].string(), int(space["root"]["value"]),
        int(space["tables"]), size_text(int(space["mapped_bytes"])))


def note_summary(note):
    requested = int(note["requested"])
    return "%d bytes asked for, site %d, at %d us%s" % (
        requested & 0x1FFFFF, int(note["site"]), int(note["birth_us"]),
        "" if requested & NOTE_BORN else ", no attribution")


SUMMARIES = {"Page": page_summary, "zone": zone_summary, "slab": slab_summary,
             "mm_space": space_summary, "note": note_summary}


class Printers:
    """The collection that GDB asks."""

    name, enabled, subprinters = "vitrine", True, None

    def __call__(self, value):
        kind = value.type
        if kind.name in ("paddr_t", "vaddr_t"):
            return AddressPrinter(value)
        kind = kind.unqualified().strip_typedefs()
        if kind.code == gdb.TYPE_CODE_STRUCT and kind.tag in SUMMARIES:
            return SummaryPrinter(value, SUMMARIES[kind.tag])
        return None


def register():
    MM()
    commands = {"stat": Stat, "zones": Zones, "frames": Frames, "caches": Caches,
                "slab": SlabCommand, "object": ObjectCommand, "spaces": Spaces,
                "mappings": Mappings, "translate": Translate, "rmap": Rmap,
                "check": CheckCommand, "sites": Sites, "log": Log, "threads": Threads}
    for name, command in commands.items():
        command(name)
    Snapshot()
    BreakWhen()
    Function("page", page_function, "$page(ADDR): the struct Page of the frame behind ADDR.")
    Function("frame", frame_function, "$frame(PA): the struct Page of a physical address.")
    Function("phys", phys_function, "$phys(VA): the physical address that VA maps to.")
    Function("virt", virt_function, "$virt(PA): the direct-map address of PA.")
    Function("object", object_function, "$object(ADDR): start of the kmalloc object around ADDR.")
    gdb.pretty_printers[:] = [p for p in gdb.pretty_printers
                              if getattr(p, "name", None) != "vitrine"] + [Printers()]


register()
