# memviz: the host tool. memviz.SRCS is everything but main.c, so that tests link it.
M := host-tools/memviz

memviz.BASE := base/base.c base/json.c base/format.c base/config.c
memviz.LINK := link/reader.c link/record.c link/target.c link/transport.c link/session.c \
	link/request.c link/sync.c link/pages.c link/replay.c link/stream.c link/recorder.c \
	link/recording.c link/ftrace.c
memviz.MODEL := model/names.c model/spans.c model/model.c model/read.c model/apply.c \
	model/state.c model/history.c model/diff.c
memviz.HUB := hub/hub.c hub/client.c hub/rpc.c hub/watching.c
memviz.COMMANDS := commands/table.c commands/cli.c commands/support.c commands/read.c \
	commands/act.c commands/watch.c commands/summary.c commands/run.c commands/diff.c \
	commands/hub.c commands/drive.c commands/openmetrics.c \
	commands/serve.c commands/export.c commands/picture.c commands/page.c commands/mux.c
memviz.VIEWS := $(sort $(patsubst $M/%,%,$(wildcard $M/views/*.c)))

memviz.SRCS := $(addprefix $M/,$(memviz.BASE) $(memviz.LINK) $(memviz.MODEL) $(memviz.HUB) \
	$(memviz.COMMANDS) $(memviz.VIEWS))
memviz_LIBS := -ljson-c -llzma -lmicrohttpd -lz -lncursesw -ltinfo -lm

PROGS += memviz
memviz.kind  := tool
memviz.units := memviz
memviz.srcs  := $M/main.c
memviz.libs  := $(memviz_LIBS)

# ---- tests ---------------------------------------------------------------------------------------
define memviz_test
PROGS += memviz-$1
memviz-$1.kind  := test
memviz-$1.units := memviz
memviz-$1.srcs  := $M/test/test_$1.c
memviz-$1.libs  := -lcmocka $(memviz_LIBS)
endef
$(foreach t,model records base recording,$(eval $(call memviz_test,$t)))

# The live interface's pure parts; their headers are private to views/.
$(eval $(call memviz_test,views))
$(BUILD)/obj/asan/$M/test/test_views.o: CPPFLAGS += -I$M/views

# Captured terminal screens to pictures (docs/img).
PROGS += term2svg
term2svg.kind := tool
term2svg.srcs := tests/terminal/term2svg.c
