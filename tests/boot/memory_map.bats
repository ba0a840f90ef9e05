# Memory maps as no sane loader gives them: the kernel boots with what is usable, or says why not.
# GDB puts the map into the machine just before the kernel reads it: memory_map.py has the cases.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	command -v gdb >/dev/null || skip "gdb is missing"
}

setup() {
	folder=$(mktemp -d)
}

teardown() {
	[ -z "${machine:-}" ] || kill "$machine" 2>/dev/null || true
	rm -rf "$folder"
}

# boots_with CASE: sets status and output (of the console), and expected (KiB that are usable).
boots_with() {
	scripts/boot --mem 512M --cpu max,phys-bits=46 --timeout 60 \
		--append 'selftest=core.* panic=exit' -- \
		-S -gdb "unix:$folder/gdb,server,nowait" >"$folder/console" 3>&- &
	machine=$!
	for _ in $(seq 100); do [ -S "$folder/gdb" ] && break || sleep 0.1; done
	VITRINE_GDB=$folder/gdb timeout 60 gdb -nx -batch -ex "set \$case = \"$1\"" \
		-x tests/boot/memory_map.py "${BUILD:-build}/vitrine.elf" >"$folder/gdb.log" 2>&1
	status=0
	wait "$machine" || status=$?
	machine=
	output=$(tr -d '\r' <"$folder/console")
	expected=$(sed -n 's/^expected \([0-9]*\) KiB$/\1/p' "$folder/gdb.log")
	cat "$folder/gdb.log"
	echo "$output" | tail -n 30
	[ -n "$expected" ]
}

# Usable memory and the kernel's own make up all that the map calls usable.
found_kib() {
	echo "$output" | sed -n 's/.*memory: \([0-9]*\) KiB usable, \([0-9]*\) KiB kernel.*/\1 \2/p' |
		awk '{ print $1 + $2 }'
}

@test "unsorted, overlapping, doubled, more than 32 entries" {
	boots_with scrambled
	[ "$status" -eq 0 ]
	[ "$(found_kib)" -eq "$expected" ]
}

@test "memory above 1 TiB" {
	boots_with high
	[ "$status" -eq 0 ]
	[ "$(found_kib)" -eq "$expected" ]
}

@test "more holes than there is room for: memory is given up, and said" {
	boots_with ragged
	[ "$status" -eq 0 ]
	[ "$(found_kib)" -lt "$expected" ]
	[[ $output == *"given up"* ]]
}

@test "entries that are empty, wrap or lie out of reach" {
	boots_with wrapping
	[ "$status" -eq 0 ]
	[ "$(found_kib)" -eq "$expected" ]
	[[ $output == *"empty or impossible"* ]]
	[[ $output == *"beyond what this CPU can address"* ]]
}

@test "48 MiB from 16 MiB on, and nothing else" {
	boots_with small
	[ "$status" -eq 0 ]
	[ "$(found_kib)" -eq "$expected" ]
}

@test "no usable memory: the machine stops and says so" {
	boots_with nothing
	[ "$status" -ne 0 ]
	[ "$status" -ne 124 ]
	[[ $output == *"no usable memory"* ]]
}
