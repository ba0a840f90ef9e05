# The inspector in a live kernel: what it tells is true, and what it must stand it stands.

export BUILD=${VITRINE_BUILD:-build}

setup() {
	cd "$BATS_TEST_DIRNAME/../../.."
}

# boot NAME MEMORY PARAMETERS: a kernel of one's own.
boot() {
	(
		. scripts/lib.sh
		vm_defaults
		vm_name=$1 vm_mem=$2 vm_append=$3
		vm_check_options
		vm_start
		vm_wait_ready 60
	) 3>&-
	dir=$BUILD/run/$1 name=$1
}

teardown() {
	cd "$BATS_TEST_DIRNAME/../../.."
	(
		. scripts/lib.sh
		vm_name=${name:-none}
		vm_stop
	)
}

siege() {
	timeout 120 "$BUILD/inspect-siege" "$@"
}

@test "a person types mm.stat into socat and gets the seven figures" {
	command -v socat >/dev/null || skip "socat is not installed (scripts/deps test)"
	boot inspect-hand 256M 'directmap=128M workload=none'
	for link in inspect-uart.sock inspect-virtio.sock; do
		answer=$( (echo '{"jsonrpc":"2.0","id":1,"method":"mm.stat"}' && sleep 2) |
			timeout 5 socat - "UNIX-CONNECT:$dir/$link" | tr -d '\036' | jq -c '.result | keys - ["gen"]')
		[ "$answer" = '["available","cache_free","cache_used","free","shared","total","used"]' ]
	done
}

@test "all mappings equal an independent walk of the guest's memory, entry by entry" {
	boot inspect-walk 512M 'directmap=256M inspect=full workload=none'
	siege walk "$dir/inspect-virtio.sock" "$dir/qmp.sock" 512
}

@test "what watches tell equals what is, after each workload, on both links" {
	boot inspect-watch 512M 'directmap=256M inspect=alloc workload=none'
	siege watch "$dir/inspect-virtio.sock"
	siege watch "$dir/inspect-uart.sock"
}

@test "of a flood of events as many are shown as are worth it, and the rest is counted" {
	boot inspect-events 512M 'directmap=256M inspect=alloc workload=none'
	siege events "$dir/inspect-virtio.sock"
	siege events "$dir/inspect-uart.sock"
}

@test "a line that flips, drops and repeats bytes: no wrong answer, nothing runs twice" {
	boot inspect-faults 256M 'directmap=128M inspect=alloc workload=none'
	siege faults "$dir/inspect-virtio.sock" 10000 1e-5
	siege faults "$dir/inspect-virtio.sock" 1000 1e-4
	siege faults "$dir/inspect-virtio.sock" 200 1e-3
}

@test "hostile clients on both links, under load: alive, clean, and the same afterwards" {
	boot inspect-hostile 256M 'directmap=128M inspect=alloc workload=mixed'
	siege hostile "$dir/inspect-virtio.sock" 6 1 &
	other=$!
	siege hostile "$dir/inspect-uart.sock" 6 2
	wait "$other"
	! grep -q -i 'panic' "$dir/console.log"
}

@test "a client that never stops asking starves nobody" {
	boot inspect-flood 256M 'directmap=128M inspect=alloc workload=none'
	siege flood "$dir/inspect-virtio.sock"
}

@test "allocations and frees by the hundred thousand leave mm_stat as it was" {
	boot inspect-million 256M 'directmap=128M inspect=alloc workload=none'
	siege million "$dir/inspect-virtio.sock" 100000
}

@test "after a panic what reads is answered, on both links" {
	boot inspect-panic-v 256M 'directmap=128M inspect=full workload=churn'
	siege panic "$dir/inspect-virtio.sock"
	teardown
	boot inspect-panic-u 256M 'directmap=128M inspect=full workload=churn'
	siege panic "$dir/inspect-uart.sock"
}
