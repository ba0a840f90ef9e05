# mm: the memory manager. A portable unit; the kernel and the host programs below link mm.SRCS.
mm.SRCS := mm/status.c
