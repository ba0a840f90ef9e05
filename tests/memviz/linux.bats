#!/usr/bin/env bats
# Any x86_64 guest: Debian's own kernel, dead for want of a root file system. Its mappings as memviz
# reads them behind QEMU's stub are those that QEMU's `info tlb` lists.

load helper
load ../gdb/kernel

setup() {
	common_setup
	needs qemu-system-x86_64 socat jq python3
	LINUX=$(tests/memviz/debian-kernel "$BUILD/linux") || skip "$LINUX"
}
teardown() { common_teardown; }

# boot CPU: until it has panicked.
boot() {
	start timeout 300 qemu-system-x86_64 -machine q35 -accel tcg -cpu "$1" -m 256M -display none \
		-nodefaults -kernel "$LINUX" -append "console=ttyS0 panic=0" -serial "file:$DIR/console" \
		-qmp "unix:$DIR/qmp,server=on,wait=off" -gdb "unix:$DIR/gdb,server=on,wait=off"
	for _ in $(seq 1200); do
		! grep -q 'end Kernel panic' "$DIR/console" 2>/dev/null || return 0
		sleep 0.1
	done
	tail -n 20 "$DIR/console"
	return 1
}

info_tlb() {
	{
		echo '{"execute":"qmp_capabilities"}'
		echo '{"execute":"human-monitor-command","arguments":{"command-line":"info tlb"}}'
		sleep 1
	} | socat -t 5 - "UNIX-CONNECT:$DIR/qmp" | jq -r '.return | strings' | tr -d '\r'
}

same_as_info_tlb() {
	info_tlb >"$DIR/tlb"
	memviz -t "gdb:$DIR/gdb" --json mappings >"$DIR/mappings"
	run python3 tests/memviz/same_tlb.py "$DIR/mappings" "$DIR/tlb"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${output%% *}" -gt 1000 ]
}

@test "a Linux guest with four levels of tables: every leaf is the one that info tlb lists" {
	boot qemu64
	same_as_info_tlb
	run memviz -t "gdb:$DIR/gdb" stat
	[ "$status" -eq 1 ]
	[[ $output == *"no root descriptor of a Vitrine kernel"* ]]
	run memviz -t "gdb:$DIR/gdb"
	[ "$status" -eq 0 ]
	[[ $output == *"cr3 (current)"* ]]
}

@test "... and with five" {
	boot max,la57=on
	same_as_info_tlb
	jq -e 'any(.runs[]; .va | startswith("0xff") and (startswith("0xffff") | not))' "$DIR/mappings"
}
