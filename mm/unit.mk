# mm: the memory manager. A portable unit; the kernel and the host programs below link mm.SRCS.
mm.SRCS := mm/status.c mm/text.c mm/boot.c mm/frames.c mm/pool.c mm/slab.c mm/slab_slow.c \
	mm/notes.c mm/hooks.c mm/stat.c mm/query.c mm/visit.c mm/check.c mm/root.c
mm.SRCS += mm/pgtable.c mm/pgtable_map.c mm/pgtable_unmap.c mm/pgtable_walk.c \
	mm/pgtable_check.c mm/space.c mm/rmap.c

# Page tables: directed, random against a shadow, threads, fuzz, instruction counts.
mm.pt_rig := mm/test/pt_rig.c mm/test/pt_rig_host.c mm/test/pt_shadow.c mm/test/port/port_host.c
PROGS += mm-pgtable
mm-pgtable.kind := test
mm-pgtable.units := mm
mm-pgtable.srcs := mm/test/test_pgtable.c $(mm.pt_rig)
mm-pgtable.libs := -lcmocka

PROGS += mm-pgtable-random
mm-pgtable-random.kind := test
mm-pgtable-random.units := mm
mm-pgtable-random.srcs := mm/test/test_pgtable_random.c $(mm.pt_rig)
mm-pgtable-random.libs := -lcmocka

PROGS += mm-pgtable-fuzz
mm-pgtable-fuzz.kind := fuzz
mm-pgtable-fuzz.units := mm
mm-pgtable-fuzz.srcs := mm/test/fuzz_pgtable.c $(mm.pt_rig)

PROGS += mm-pgtable-smoke
mm-pgtable-smoke.kind := test
mm-pgtable-smoke.units := mm
mm-pgtable-smoke.srcs := mm/test/fuzz_smoke.c mm/test/fuzz_pgtable.c $(mm.pt_rig)

PROGS += mm-pgtable-threads
mm-pgtable-threads.kind := test
mm-pgtable-threads.flavor := tsan
mm-pgtable-threads.units := mm
mm-pgtable-threads.srcs := mm/test/test_pgtable_threads.c $(mm.pt_rig)
mm-pgtable-threads.libs := -lcmocka -lpthread
# It holds locks and calls mm_check_tables() alone.
$(BUILD)/obj/tsan/mm/test/test_pgtable_threads.o: CPPFLAGS += -Imm

PROGS += mm-pgtable-bench
mm-pgtable-bench.kind := bench
mm-pgtable-bench.units := mm
mm-pgtable-bench.srcs := mm/test/bench_pgtable.c $(mm.pt_rig)

# Frames, objects, figures, debug modes.
mm.host := mm/test/port/port_host.c
PROGS += mm-bootmap
mm-bootmap.kind := test
mm-bootmap.units := mm
mm-bootmap.srcs := mm/test/test_bootmap.c $(mm.host)
mm-bootmap.libs := -lcmocka

PROGS += mm-api-fuzz
mm-api-fuzz.kind := fuzz
mm-api-fuzz.units := mm
mm-api-fuzz.srcs := mm/test/fuzz_api.c $(mm.pt_rig)

PROGS += mm-api-smoke
mm-api-smoke.kind := test
mm-api-smoke.units := mm
mm-api-smoke.srcs := mm/test/fuzz_smoke.c mm/test/fuzz_api.c $(mm.pt_rig)

PROGS += mm-frames
mm-frames.kind := test
mm-frames.units := mm
mm-frames.srcs := mm/test/test_frames.c $(mm.host)
mm-frames.libs := -lcmocka

PROGS += mm-slab
mm-slab.kind := test
mm-slab.units := mm
mm-slab.srcs := mm/test/test_slab.c $(mm.host)
mm-slab.libs := -lcmocka

PROGS += mm-debug
mm-debug.kind := test
mm-debug.units := mm
mm-debug.srcs := mm/test/test_debug.c $(mm.host)
mm-debug.libs := -lcmocka

PROGS += mm-random
mm-random.kind := test
mm-random.units := mm
mm-random.srcs := mm/test/test_random.c mm/test/ops.c $(mm.host)

PROGS += mm-threads
mm-threads.kind := test
mm-threads.flavor := tsan
mm-threads.units := mm
mm-threads.srcs := mm/test/test_threads.c $(mm.host)
mm-threads.libs := -lcmocka -lpthread

PROGS += mm-alloc-fuzz
mm-alloc-fuzz.kind := fuzz
mm-alloc-fuzz.units := mm
mm-alloc-fuzz.srcs := mm/test/fuzz_alloc.c mm/test/ops.c $(mm.host)

PROGS += mm-alloc-smoke
mm-alloc-smoke.kind := test
mm-alloc-smoke.units := mm
mm-alloc-smoke.srcs := mm/test/fuzz_smoke.c mm/test/fuzz_alloc.c mm/test/ops.c $(mm.host)

PROGS += mm-tables
mm-tables.kind := test
mm-tables.units := mm
mm-tables.srcs := mm/test/test_tables.c $(mm.host)
mm-tables.libs := -lcmocka
# It breaks mm's own structures, to see the checker name each.
$(BUILD)/obj/asan/mm/test/test_tables.o: CPPFLAGS += -Imm

# What mutation found untested. It looks at the words that fast paths look at.
PROGS += mm-more
mm-more.kind := test
mm-more.units := mm
mm-more.srcs := mm/test/test_more.c $(mm.host)
mm-more.libs := -lcmocka
$(BUILD)/obj/asan/mm/test/test_more.o: CPPFLAGS += -Imm

PROGS += mm-alloc-bench
mm-alloc-bench.kind := bench
mm-alloc-bench.units := mm
mm-alloc-bench.srcs := mm/test/bench_alloc.c $(mm.host)
mm-alloc-bench.libs := -ldl
