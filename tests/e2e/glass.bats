# The glass holds: what the inspector says of a running kernel is right on a bad line and under
# load, and what it does leaves no trace. With VITRINE_LONG=1 each for longer.

export BUILD=${VITRINE_BUILD:-build}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	name=
}

# boot NAME MEMORY PARAMETERS: a kernel of one's own; its virtio line is memviz's target.
boot() {
	name=$1
	(
		. scripts/lib.sh
		vm_defaults
		vm_name=$1 vm_mem=$2 vm_append=$3
		vm_check_options
		vm_start
		vm_wait_ready 60
	) 3>&-
	dir=$BUILD/run/$1
	export MEMVIZ_TARGET="unix:$PWD/$dir/inspect-virtio.sock"
}

teardown() {
	[ -z "$name" ] || (
		. scripts/lib.sh
		vm_name=$name
		vm_stop
	)
}

memviz() {
	"$BUILD/memviz" --json "$@"
}

# faults LINK REQUESTS PROBABILITY
faults() {
	timeout 200 "$BUILD/glass-client" faults "$dir/inspect-$1.sock" "$2" "$3" "${SEED:-1}"
}

@test "10,000 requests over a bad virtio line, at each rate of faults" {
	boot glass-virtio 256M 'directmap=128M workload=none'
	for rate in 1e-5 1e-4 1e-3; do
		faults virtio 10000 "$rate"
	done
}

@test "a bad UART line, at each rate of faults" {
	boot glass-uart 256M 'directmap=128M workload=none'
	requests=500
	[ -z "${VITRINE_LONG:-}" ] || requests=10000
	for rate in 1e-5 1e-4 1e-3; do
		faults uart "$requests" "$rate"
	done
}

@test "1,000,000 allocations and frees later mm_stat is where it was" {
	boot glass-million 512M 'directmap=256M workload=none'
	timeout 300 "$BUILD/glass-client" million "$dir/inspect-virtio.sock" 1000000
}

@test "all seven figures are where they were when the last remote object is freed" {
	boot glass-back 512M 'directmap=256M workload=none'
	before=$(memviz stat | jq -c 'del(.gen)')
	for size in 32 80 4096 1M; do
		addr=$(memviz kmalloc "$size" | jq -r .addr)
		memviz kfree "$addr"
		[ "$(memviz stat | jq -c 'del(.gen)')" = "$before" ]
	done
	"$BUILD/memviz" -t "unix:$dir/inspect-virtio.sock" drive \
		tests/memviz/data/linux-kmem-excerpt.trace.xz --free-rest
	[ "$(memviz stat | jq -c 'del(.gen)')" = "$before" ]
}

@test "trace.leaks finds what leak forgot, all of it and nothing else" {
	boot glass-leaks 256M 'directmap=128M workload=none'
	memviz call trace.start
	# Older than the kernel is nothing, and nothing has leaked yet.
	[ "$(memviz leaks --older-than 1h | jq '.objects | length')" = 0 ]
	[ "$(memviz leaks --older-than 0s | jq '.objects | length')" = 0 ]
	memviz call workload.start name=churn
	memviz call workload.start name=leak 'params={"rate":2000,"every":10,"size":192}'
	sleep 2
	memviz call workload.stop name=leak
	# Churn goes on: its objects live for less than its pace takes, or are freed at its stop.
	memviz call workload.stop name=churn
	operations=$(memviz call workload.list | jq '.workloads[] | select(.name == "leak").operations')
	leaks=$(memviz leaks --older-than 0s)
	[ "$(jq '.objects | length' <<<"$leaks")" -gt 10 ]
	[ "$(jq '.objects | length' <<<"$leaks")" = "$((operations / 10))" ]
	[ "$(jq -c '[.objects[].size] | unique' <<<"$leaks")" = '[256]' ]
	[ "$(jq -r '[.objects[].symbol | sub("[+].*"; "")] | unique[]' <<<"$leaks")" = leak_forget ]
	[ "$(memviz leaks --older-than 1h | jq '.objects | length')" = 0 ]
}

# refused WORDS METHOD [NAME=VALUE...]
refused() {
	words=$1
	shift
	run "$BUILD/memviz" --json call "$@"
	[ "$status" -eq 1 ] || return 1
	[[ $output == *"$words"* ]]
}

@test "inspect=read sees and changes nothing" {
	boot glass-read 256M 'directmap=128M workload=none inspect=read trace=on'
	[ "$(memviz call hello | jq -r .access)" = read ]
	before=$(memviz stat)
	for method in mm.zones mm.frames mm.caches mm.spaces mm.mappings mm.check sys.log workload.list; do
		memviz call "$method" >/dev/null
	done
	memviz call mem.read va=0xffffffff80000000 len=16 >/dev/null
	refused inspect= mm.kmalloc size=64
	refused inspect= mm.kfree addr=0xffff800000200000
	refused inspect= mm.alloc_pages zone=ZONE_NORMAL num=1
	refused inspect= mm.free_pages pa=0x0 num=1
	refused inspect= mm.map va=0xffffc00000000000 pa=0x0 len=4096 flags=w
	refused inspect= mm.unmap va=0xffffc00000000000 len=4096
	refused inspect= space.create name=mine
	refused inspect= space.destroy id=1
	refused inspect= workload.start name=churn
	refused inspect= trace.stop
	refused inspect= sys.panic
	refused inspect= sys.poweroff
	refused inspect= fault.inject op=kmalloc after=1
	[ "$(memviz stat)" = "$before" ]
}

@test "inspect=alloc frees and unmaps only what is its own" {
	boot glass-alloc 256M 'directmap=128M workload=none'
	[ "$(memviz call hello | jq -r .access)" = alloc ]
	# The window's first table stays, as every space shares it.
	memviz map 0xffffc00000000000 0x1000000 4K -
	memviz unmap 0xffffc00000000000 4K
	before=$(memviz stat | jq .cache_used)
	object=$(memviz kmalloc 64 | jq -r .addr)
	# Somebody else's object, of the kernel's own: there is one of 4 KiB, a thread's.
	other=$(memviz call mm.slabs size=4096 | jq -r '.slabs[0] | .addr as $a | .used_runs[0][0] as $i | "\($a) \($i)"')
	other=$(printf '0x%x' $((${other% *} + 4096 * ${other#* })))
	refused alloc mm.kfree addr="$other"
	[ "$(memviz object "$other" | jq -r .state)" = used ]
	pa=$(memviz alloc-pages ZONE_NORMAL 2 | jq -r .pa)
	refused alloc mm.free_pages pa=0x1000000 num=1
	refused alloc mm.map va=0x400000000000 pa="$pa" len=4096 flags=w
	refused alloc mm.map va=0xffff800000000000 pa="$pa" len=4096 flags=w
	memviz map 0xffffc00000000000 "$pa" 4K w
	refused alloc mm.unmap va=0xffff800000000000 len=4096
	refused alloc sys.panic
	refused alloc sys.poweroff
	memviz unmap 0xffffc00000000000 4K
	memviz free-pages "$pa" 2
	memviz kfree "$object"
	[ "$(memviz stat | jq .cache_used)" = "$before" ]
	[ "$(memviz check | jq .ok)" = true ]
}

@test "inspect=full may do anything that does not break the kernel, and power it off" {
	boot glass-full 256M 'directmap=128M workload=none inspect=full'
	[ "$(memviz call hello | jq -r .access)" = full ]
	space=$(memviz call space.create name=user | jq .id)
	memviz map 0x400000000000 0x1000000 2M u --space "$space"
	[ "$(memviz translate 0x400000000123 --space "$space" | jq -r .pa)" = 0x1000123 ]
	# The kernel's own code, direct map and tables stay out of reach at every level.
	refused 'holds the kernel itself' mm.unmap va=0xffffffff80000000 len=4096
	refused 'holds the kernel itself' mm.unmap va=0xffff800000000000 len=2097152
	refused 'holds the kernel itself' mm.map va=0xffff800000000000 pa=0x0 len=4096 flags=w
	refused 'not an object' mm.kfree addr=0xffffffff80000000
	memviz call space.destroy id="$space"
	[ "$(memviz check | jq .ok)" = true ]
	memviz call sys.poweroff
	for _ in $(seq 100); do
		[ -e "$dir/pid" ] || break
		sleep 0.1
	done
	[ ! -e "$dir/pid" ]
}

@test "inspect=off answers nothing" {
	boot glass-off 256M 'directmap=128M workload=none inspect=off'
	run "$BUILD/memviz" --timeout 1 stat
	[ "$status" -eq 3 ]
}

@test "hostile clients for long" {
	[ -n "${VITRINE_LONG:-}" ] || skip "takes a minute: VITRINE_LONG=1 (shorter: kernel/inspect/test/live.bats)"
	boot glass-hostile 256M 'directmap=128M workload=mixed,churn'
	timeout 200 "$BUILD/inspect-siege" hostile "$dir/inspect-virtio.sock" 60 "${SEED:-1}" &
	other=$!
	timeout 200 "$BUILD/inspect-siege" hostile "$dir/inspect-uart.sock" 60 "${SEED:-2}"
	wait "$other"
	! grep -q -i panic "$dir/console.log"
}
