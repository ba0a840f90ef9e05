# For bats files: a kernel of one's own, and GDB on it.

export BUILD=${VITRINE_BUILD:-build}

go_home() {
	cd "$BATS_TEST_DIRNAME/../.."
}

needs() {
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is not installed (scripts/deps test)"
	done
}

# start_kernel NAME BOOT-PARAMETERS: boots and waits until it is ready (with gdbwait: until it waits).
start_kernel() {
	(
		. scripts/lib.sh
		vm_defaults
		vm_name=$1 vm_append=$2 vm_link=uart
		vm_check_options
		vm_start
	) 3>&-
	kernel_name=$1 kernel_dir=$BUILD/run/$1
	for _ in $(seq 400); do
		! grep -qE ' ready: |waiting for a debugger' "$kernel_dir/console.log" 2>/dev/null || return 0
		sleep 0.05
	done
	cat "$kernel_dir/console.log"
	return 1
}

stop_kernel() {
	(
		. scripts/lib.sh
		vm_name=$1
		vm_stop
	)
}

# gdb_on SOCKET ARGUMENT...: GDB with symbols and the mm commands, attached; output in $output.
gdb_on() {
	local socket=$1
	shift
	run timeout 100 gdb -nx -batch -iex 'set confirm off' -iex 'set pagination off' \
		-iex 'set width 0' -iex 'set auto-load no' -iex 'set remotetimeout 30' -ex "file $BUILD/vitrine.elf" \
		-ex "source gdbstub/gdb/vitrine-gdb.py" -ex "target remote $kernel_dir/$socket" "$@"
	echo "$output"
	[ "$status" -eq 0 ]
}

has() {
	grep -qE -- "$1" <<<"$output" || { echo "missing: $1"; return 1; }
}

has_not() {
	! grep -qE -- "$1" <<<"$output" || { echo "should not be there: $1"; return 1; }
}

# wait_for CONDITION: until the words are true, a minute at most.
wait_for() {
	for _ in $(seq 600); do
		! eval "$1" || return 0
		sleep 0.1
	done
	echo "in vain: $1"
	cat "$BATS_TEST_TMPDIR/out" "$kernel_dir/console.log" 2>/dev/null || true
	return 1
}
