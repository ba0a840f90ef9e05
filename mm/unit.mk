# mm: the memory manager. A portable unit; the kernel and the host programs below link mm.SRCS.
mm.SRCS := mm/status.c mm/text.c mm/boot.c mm/frames.c mm/pool.c mm/slab.c mm/slab_slow.c \
	mm/notes.c mm/hooks.c mm/stat.c mm/query.c mm/visit.c mm/check.c
mm.SRCS += mm/pgtable.c mm/pgtable_map.c mm/pgtable_unmap.c mm/pgtable_walk.c \
	mm/pgtable_check.c mm/space.c mm/rmap.c
