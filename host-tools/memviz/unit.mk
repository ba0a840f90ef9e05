# memviz: the host tool. memviz.SRCS is everything but main.c, so that tests link it.
M := host-tools/memviz

memviz.BASE := base/base.c base/json.c base/format.c base/config.c
memviz.LINK := link/reader.c link/record.c link/target.c link/transport.c link/session.c \
	link/request.c link/sync.c link/pages.c link/replay.c link/stream.c link/recorder.c link/recorded.c \
	link/recording.c link/ftrace.c link/behind_gdb.c
memviz.MODEL := model/names.c model/spans.c model/model.c model/read.c model/apply.c \
	model/state.c model/kept.c model/history.c model/diff.c
memviz.GDB := gdb/guard.c gdb/rsp.c gdb/description.c gdb/walk.c gdb/guest.c \
	gdb/root.c gdb/kernel.c gdb/objects.c gdb/check.c gdb/tell.c gdb/view.c
memviz.HUB := hub/hub.c hub/client.c hub/rpc.c hub/watching.c
memviz.COMMANDS := commands/table.c commands/cli.c commands/support.c commands/read.c \
	commands/act.c commands/watch.c commands/summary.c commands/run.c commands/diff.c \
	commands/hub.c commands/drive.c commands/openmetrics.c \
	commands/serve.c commands/export.c commands/cells.c commands/picture.c commands/page.c commands/mux.c
memviz.VIEWS := $(addprefix views/,app.c ask.c canvas.c command.c curve.c detail.c events.c forms.c frame.c fuzzy.c \
	glyph.c graph.c grid.c header.c helpers.c history.c keys.c layout.c lineedit.c log.c \
	map.c overview.c pagetree.c popups.c prompt.c share.c sitedata.c sites.c slabdata.c slabs.c \
	table.c tables.c terminal.c theme.c translate.c tui.c)

memviz.SRCS := $(addprefix $M/,$(memviz.BASE) $(memviz.LINK) $(memviz.MODEL) $(memviz.GDB) $(memviz.HUB) \
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
$(foreach t,model records base recording session,$(eval $(call memviz_test,$t)))

# The reader of page tables behind a stub; its header is private to gdb/.
$(eval $(call memviz_test,gdb))
$(BUILD)/obj/asan/$M/test/test_gdb.o: CPPFLAGS += -I$M/gdb
$(BUILD)/obj/asan/$M/test/fuzz_gdb.o $(BUILD)/obj/fuzz/$M/test/fuzz_gdb.o: CPPFLAGS += -I$M/gdb

# The live interface's pure parts; their headers are private to views/.
$(eval $(call memviz_test,views))
$(BUILD)/obj/asan/$M/test/test_views.o: CPPFLAGS += -I$M/views

# Captured terminal screens to pictures (docs/img).
PROGS += term2svg
term2svg.kind := tool
term2svg.srcs := tests/terminal/term2svg.c

# The interface itself, in tmux.
TAP_TESTS += $(addprefix tests/terminal/,screens.bats replay.bats live.bats exits.bats)

# Each fuzz target is also a test: fixed mutations of its seeds (test/smoke.c).
define memviz_fuzz
PROGS += memviz-fuzz-$1 memviz-smoke-$1
memviz-fuzz-$1.kind   := fuzz
memviz-fuzz-$1.units  := memviz
memviz-fuzz-$1.srcs   := $M/test/fuzz_$1.c
memviz-fuzz-$1.libs   := $(memviz_LIBS)
memviz-smoke-$1.kind  := test
memviz-smoke-$1.units := memviz
memviz-smoke-$1.srcs  := $M/test/fuzz_$1.c $M/test/smoke.c
memviz-smoke-$1.libs  := $(memviz_LIBS)
endef
$(foreach t,reader ftrace config model recording gdb,$(eval $(call memviz_fuzz,$t)))

TAP_TESTS += tests/memviz/cli.bats tests/memviz/live.bats tests/memviz/hub.bats \
	tests/memviz/completions.bats tests/memviz/gdb.bats tests/memviz/linux.bats

# What it costs, in a terminal and on recordings: make bench B=memviz.
PROGS += memviz-bench
memviz-bench.kind  := bench
memviz-bench.units := memviz
memviz-bench.srcs  := $M/bench.c
memviz-bench.libs  := $(memviz_LIBS) -lutil

# ---- installing ----------------------------------------------------------------------------------
INSTALL_RULES += install-memviz
.PHONY: install-memviz
install-memviz:
	$(call say,INSTALL,$(DESTDIR)$(PREFIX)/bin/memviz)
	$(Q)install -Dm755 $(BUILD)/memviz $(DESTDIR)$(PREFIX)/bin/memviz
	$(Q)install -Dm644 $M/man/memviz.1 $(DESTDIR)$(PREFIX)/share/man/man1/memviz.1
	$(Q)install -Dm644 $M/completions/memviz.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/memviz
	$(Q)install -Dm644 $M/completions/memviz.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_memviz
	$(Q)install -Dm644 $M/completions/memviz.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/memviz.fish

