# The inspector: protocol, JSON, methods, watches.
I := kernel/inspect
inspect.SRCS := $(addprefix $I/,crc.c format.c writer.c reader.c owned.c ring.c fields.c params.c \
	call.c list.c methods.c reads.c acts.c discover.c link.c watch.c text.c inspect.c)
