#!/usr/bin/env bats
# Page tables through a GDB stub: QEMU's and the kernel's own, against what the inspector says.

load helper

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export BUILD="${VITRINE_BUILD:-build}"
	scripts/run --name memviz-gdb --headless --append workload=none >"$BATS_FILE_TMPDIR/log" 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/pid"
	for _ in $(seq 300); do
		! grep -q qmp.sock "$BATS_FILE_TMPDIR/log" || break
		sleep 0.1
	done
	grep -q qmp.sock "$BATS_FILE_TMPDIR/log"
}

teardown_file() {
	kill "$(cat "$BATS_FILE_TMPDIR/pid")" 2>/dev/null || :
	for _ in $(seq 50); do
		[ -e "$BUILD/run/memviz-gdb/pid" ] || break
		sleep 0.1
	done
}

setup() {
	common_setup
	RUN="$BUILD/run/memviz-gdb"
}
teardown() { common_teardown; }

# Mappings without the gen, which a stub does not know.
runs() {
	memviz -t "$1" --json mappings | jq -c '.runs[] | del(.space)'
}

@test "the mappings behind QEMU's stub and the kernel's own are those of the inspector" {
	runs "unix:$RUN/inspect.sock" >"$DIR/inspector"
	[ "$(wc -l <"$DIR/inspector")" -gt 10 ]
	for stub in qemu-gdb.sock gdb.sock; do
		runs "gdb:$RUN/$stub" >"$DIR/stub"
		diff "$DIR/inspector" "$DIR/stub" || { echo "$stub"; false; }
	done
}

@test "translate names every entry, alike from all sides" {
	memviz -t "unix:$RUN/inspect.sock" --json translate 0xffff800000200000 | jq -Sc '[.pa, .levels]' >"$DIR/a"
	for stub in qemu-gdb.sock gdb.sock; do
		memviz -t "gdb:$RUN/$stub" --json translate 0xffff800000200000 | jq -Sc '[.pa, .levels]' >"$DIR/b"
		diff "$DIR/a" "$DIR/b"
	done
}

@test "the guest goes on after each look, and what a stub cannot tell is refused" {
	for _ in 1 2 3 4 5; do
		memviz -t "gdb:$RUN/qemu-gdb.sock" spaces
		memviz -t "unix:$RUN/inspect.sock" stat
	done
	run memviz -t "gdb:$RUN/qemu-gdb.sock" stat
	[ "$status" -eq 1 ]
	[[ $output == *"behind a GDB stub"* ]]
	run memviz -t "gdb:$RUN/qemu-gdb.sock" watch stat
	[ "$status" -eq 2 ]
	run memviz -t "gdb:$RUN/nothing.sock" mappings
	[ "$status" -eq 3 ]
	run memviz -t "gdb:$RUN/qemu-gdb.sock"
	[ "$status" -eq 0 ]
	[[ $output == *"Address spaces"* ]]
}
