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
