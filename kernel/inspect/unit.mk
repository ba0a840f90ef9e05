# The inspector: protocol, JSON, methods, watches.
I := kernel/inspect
inspect.SRCS := $(addprefix $I/,crc.c format.c writer.c reader.c owned.c ring.c fields.c params.c \
	call.c list.c methods.c reads.c acts.c discover.c link.c events.c watch.c text.c inspect.c)

# Serves the protocol over a simulated memory manager: for trying clients without a kernel.
PROGS += vitrine-model
vitrine-model.kind  := tool
vitrine-model.units := inspect
vitrine-model.srcs  := $I/test/model.c $I/test/vitrine_model.c

inspect.test := $I/test/model.c $I/test/rig.c $I/test/schema.c

PROGS += inspect-json
inspect-json.kind  := test
inspect-json.units := inspect
inspect-json.srcs  := $I/test/model.c $I/test/compare_json.c $I/test/test_json.c
inspect-json.libs  := -lcmocka -ljson-c -lm

PROGS += inspect-fuzz-json
inspect-fuzz-json.kind  := fuzz
inspect-fuzz-json.units := inspect
inspect-fuzz-json.srcs  := $I/test/model.c $I/test/compare_json.c $I/test/fuzz_json.c
inspect-fuzz-json.libs  := -ljson-c -lm

PROGS += inspect-link
inspect-link.kind  := test
inspect-link.units := inspect
inspect-link.srcs  := $(inspect.test) $I/test/test_link.c
inspect-link.libs  := -lcmocka -ljson-c -lz

PROGS += inspect-methods
inspect-methods.kind  := test
inspect-methods.units := inspect
inspect-methods.srcs  := $(inspect.test) $I/test/doc_table.c $I/test/test_methods.c
inspect-methods.libs  := -lcmocka -ljson-c -lz

# Prints docs/openrpc.json and the table of methods of docs/protocol.md.
PROGS += openrpc
openrpc.kind  := tool
openrpc.units := inspect
openrpc.srcs  := $I/test/model.c $I/test/doc_table.c $I/test/openrpc.c
openrpc.libs  := -ljson-c

PROGS += inspect-watch
inspect-watch.kind  := test
inspect-watch.units := inspect
inspect-watch.srcs  := $(inspect.test) $I/test/picture.c $I/test/test_watch.c
inspect-watch.libs  := -lcmocka -ljson-c -lz

PROGS += inspect-hostile
inspect-hostile.kind  := test
inspect-hostile.units := inspect
inspect-hostile.srcs  := $I/test/model.c $I/test/hostile.c $I/test/test_hostile.c
inspect-hostile.libs  := -lcmocka -lz

PROGS += inspect-fuzz-link
inspect-fuzz-link.kind  := fuzz
inspect-fuzz-link.units := inspect
inspect-fuzz-link.srcs  := $I/test/model.c $I/test/hostile.c $I/test/fuzz_link.c
inspect-fuzz-link.libs  := -lz

PROGS += inspect-ring
inspect-ring.kind   := test
inspect-ring.flavor := tsan
inspect-ring.units  := inspect
inspect-ring.srcs   := $I/test/model.c $I/test/test_ring.c
inspect-ring.libs   := -lcmocka -lpthread

PROGS += inspect-bench
inspect-bench.kind  := bench
inspect-bench.units := inspect
inspect-bench.srcs  := $I/test/model.c $I/test/bench.c

# Besieges a live kernel; live.bats says with what.
PROGS += inspect-siege
inspect-siege.kind := tool
inspect-siege.srcs := $I/test/picture.c $I/test/siege.c
inspect-siege.libs := -ljson-c -lz

TAP_TESTS += $I/test/live.bats
