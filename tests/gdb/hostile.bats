#!/usr/bin/env bats
# Hostile bytes on the line of a kernel that works meanwhile.

load kernel.bash

setup() {
	go_home
	needs gdb qemu-system-x86_64
}

teardown() {
	go_home
	stop_kernel gdb-hostile
}

@test "after every hostile packet and every truncation of a session '?' is answered" {
	start_kernel gdb-hostile 'workload=churn inspect=full'
	run timeout 600 gdb -nx -batch -iex 'set auto-load no' -ex "file $BUILD/vitrine.elf" \
		-ex "python DIR = '$kernel_dir'" -ex 'source tests/gdb/hostile.py'
	echo "$output" | tail -n 20
	[ "$status" -eq 0 ]
	[ "$(grep -c '^answered after' <<<"$output")" -eq 78 ]
	has '^whole$'
	has '^every truncation answered'
	# Nothing of it has harmed the kernel, which runs.
	run "$BUILD/memviz" -t "unix:$kernel_dir/inspect-uart.sock" --timeout 60 check
	echo "$output"
	[ "$status" -eq 0 ]
	gdb_on gdb.sock -ex 'tbreak churn_take' -ex continue -ex 'mm check'
	has 'hit Temporary breakpoint 1'
	has 'all is well'
}
