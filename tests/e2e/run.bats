# scripts/run as a user runs it, and the API through memviz on a real kernel.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export MEMVIZ="$PWD/${VITRINE_BUILD:-build}/memviz"
	export RUN_DIR="${VITRINE_BUILD:-build}/run/e2e"
	export BUILD="${VITRINE_BUILD:-build}"
	scripts/run --name e2e --headless --append 'workload=none trace=on' >"$BATS_FILE_TMPDIR/run.log" 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/pid"
	for _ in $(seq 300); do
		! grep -q inspect.sock "$BATS_FILE_TMPDIR/run.log" || break
		sleep 0.1
	done
	export MEMVIZ_TARGET="unix:$PWD/$RUN_DIR/inspect.sock"
}

teardown_file() {
	kill "$(cat "$BATS_FILE_TMPDIR/pid")" 2>/dev/null || :
	for _ in $(seq 50); do
		[ -e "$RUN_DIR/pid" ] || break
		sleep 0.1
	done
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
}

# json FIELD COMMAND...: runs memviz with --json and prints one field of the result.
json() {
	field=$1
	shift
	"$MEMVIZ" --json "$@" | jq -r ".$field"
}

@test "without a terminal: a summary of the running kernel, exit 0" {
	run scripts/run --name e2e-summary </dev/null
	[ "$status" -eq 0 ]
	[[ $output == *ZONE_DMA* ]]
	[[ $output == *ZONE_UNMAPPED_IN_PGT* ]]
	[[ $output == *mixed* ]]
	[[ $output != *$'\e'* ]]
	[ ! -e "$BUILD/run/e2e-summary/pid" ]
}

@test "one serial line for everything is split, and looked at through the hub" {
	run scripts/run --name e2e-mux --link uart --append serial=mux </dev/null
	[ "$status" -eq 0 ]
	[[ $output == *"(hub)"* ]]
	[[ $output == *ZONE_DMA* ]]
	[ ! -e "$BUILD/run/e2e-mux/pid" ]
}

@test "a name in use, wrong sizes and unknown options are one clear line each" {
	run scripts/run --name e2e
	[ "$status" -eq 1 ]
	[[ $output == *"runs already"*"--name"* ]]
	run scripts/run --mem much
	[ "$status" -eq 2 ]
	[[ $output == *"--mem 'much'"* ]]
	run scripts/run --link parallel
	[ "$status" -eq 2 ]
	[[ $output == *"uart, virtio or both"* ]]
	run scripts/run --frobnicate
	[ "$status" -eq 2 ]
	QEMU=no-such-qemu run scripts/run --name e2e-none
	[ "$status" -eq 1 ]
	[[ $output == *"is missing"* ]]
}

@test "an old QEMU is refused in one line" {
	printf '#!/bin/sh\necho "QEMU emulator version 2.12.0"\n' >"$BATS_TEST_TMPDIR/old"
	chmod +x "$BATS_TEST_TMPDIR/old"
	QEMU="$BATS_TEST_TMPDIR/old" run scripts/run --name e2e-none
	[ "$status" -eq 1 ]
	[[ $output == *"too old"* ]]
}

@test "the sockets are ours alone" {
	[ "$(stat -c %a "$RUN_DIR")" = 700 ]
	for socket in inspect console gdb qemu-gdb qmp inspect-virtio inspect-uart; do
		[ -S "$RUN_DIR/$socket.sock" ]
	done
}

@test "a person with socat on the bare line gets the seven figures" {
	reply=$( (echo '{"jsonrpc":"2.0","id":1,"method":"mm.stat"}' && sleep 1) |
		timeout 5 socat - "UNIX-CONNECT:$RUN_DIR/inspect-uart.sock" | jq --seq -c .result)
	for field in total used free shared cache_used cache_free available; do
		[ "$(echo "$reply" | jq "has(\"$field\")" --seq 2>/dev/null | tr -d '\036')" = true ]
	done
}

@test "kmalloc, kfree: class sizes, and the state comes back" {
	before=$("$MEMVIZ" --json stat | jq -c 'del(.gen)')
	addr=$(json addr kmalloc 80)
	[ "$(json size object "$addr")" = 128 ]
	[ "$(json state object "$addr")" = used ]
	run "$MEMVIZ" kfree "$addr"
	[ "$status" -eq 0 ]
	run "$MEMVIZ" kfree "$addr"
	[ "$status" -eq 1 ]
	[ "$("$MEMVIZ" --json stat | jq -c '.used')" = "$(echo "$before" | jq .used)" ]
}

@test "frames above the direct map, mapped into a space of their own, translated, unmapped, freed" {
	before=$(json used stat)
	pa=$(json pa alloc-pages ZONE_UNMAPPED_IN_PGT 3 PAGE_SHARED)
	[ "$(json va call mm.alloc_pages zone=ZONE_UNMAPPED_IN_PGT num=1 dry_run=true)" = null ]
	[ "$(json shared stat)" -ge 6291456 ]
	space=$(json id call space.create name=own)
	run "$MEMVIZ" map 0x400000000000 "$pa" 6M wu --space "$space"
	[ "$(json pa translate 0x400000201234 --space "$space")" = "$(printf '0x%x' $((pa + 0x201234)))" ]
	[ "$("$MEMVIZ" --json rmap "$pa" | jq -r '.runs[0].va')" = 0x400000000000 ]
	run "$MEMVIZ" unmap 0x400000001000 4K --space "$space"
	[ "$status" -eq 0 ]
	[ "$(json pa translate 0x400000001000 --space "$space")" = null ]
	[ "$(json pa translate 0x400000002000 --space "$space")" != null ]
	"$MEMVIZ" unmap 0x400000000000 6M --space "$space"
	"$MEMVIZ" call space.destroy id="$space"
	"$MEMVIZ" free-pages "$pa" 3
	[ "$(json used stat)" = "$before" ]
	[ "$(json ok check)" = true ]
}

@test "wrong requests are refused with exit 1 and the reason" {
	run "$MEMVIZ" kmalloc 2M
	[ "$status" -eq 1 ]
	run "$MEMVIZ" alloc-pages ZONE_NORMAL 64
	[ "$status" -ne 0 ]
	run "$MEMVIZ" kfree 0x1234
	[ "$status" -eq 1 ]
	run "$MEMVIZ" map 0xffff800000000000 0x0 4K w
	[ "$status" -eq 1 ]
	run "$MEMVIZ" unmap 0xffffffff80000000 4K
	[ "$status" -eq 1 ]
	run "$MEMVIZ" call mm.stats
	[ "$status" -eq 1 ]
	[[ $output == *mm.stat* ]]
}

@test "a client killed at any moment leaves the kernel and the others running" {
	"$MEMVIZ" watch stat events --hz 60 >/dev/null 3>&- &
	victim=$!
	sleep 0.3
	kill -9 "$victim"
	run "$MEMVIZ" stat
	[ "$status" -eq 0 ]
}

@test "no target: exit 3 and one line" {
	run "$MEMVIZ" -t unix:/nonexistent.sock --timeout 1 stat
	[ "$status" -eq 3 ]
	[ "${#lines[@]}" -eq 1 ]
}
