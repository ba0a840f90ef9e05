#!/usr/bin/env bats
# Call sites tell the programs apart.

load ../../../tests/gdb/kernel.bash

setup() {
	cd "$BATS_TEST_DIRNAME/../../.."
	needs qemu-system-x86_64 jq
}

teardown() {
	stop_kernel workload-sites
}

@test "every program's allocations carry its name" {
	start_kernel workload-sites 'workload=churn,ramp,leak,fragment,maps,mixed trace=on directmap=1G'
	for _ in $(seq 100); do
		symbols=$("$BUILD/memviz" -t "unix:$kernel_dir/inspect-uart.sock" --timeout 60 --json sites |
			jq -r '.sites[].symbol')
		missing=
		for site in churn_take churn_frames ramp_climb leak_use leak_forget fragment_fill mixed_objects \
			mixed_frames maps_run; do
			grep -q "^$site+" <<<"$symbols" || missing="$missing $site"
		done
		[ -n "$missing" ] || break
		sleep 0.1
	done
	echo "missing:$missing"
	echo "$symbols"
	[ -z "$missing" ]
	! grep -q workload_ <<<"$symbols"
}
