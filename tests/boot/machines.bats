# Machines that lack what most have: the kernel finds another way, and its clock is right.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
}

# works OPTION...: the self-tests of clock, traps, interrupts and threads pass.
works() {
	run scripts/boot --mem 128M --timeout 60 --append 'selftest=boot.*,time.*,trap.*,irq.*,thread.*' "$@"
	output=$(echo "$output" | tr -d '\r')
	echo "$output" | tail -n 40
	[ "$status" -eq 0 ]
}

says() {
	[[ $output == *"$1"* ]] || {
		echo "missing: $1"
		return 1
	}
}

# khz SOURCE: the rate that the last boot found by this means.
khz() {
	echo "$output" | sed -n "s/.*TSC at \([0-9]*\) kHz ($1).*/\1/p"
}

@test "no 8254: the rate comes from ACPI's timer and is that of the 8254" {
	# A host that stops the machine at the wrong moment spoils a measurement: three tries.
	for _ in 1 2 3; do
		works
		says "(8254)"
		usual=$(khz 8254)
		works -- -machine pit=off
		says "(ACPI PM timer)"
		found=$(khz "ACPI PM timer")
		# Within 5 %, as everything that the clock believes.
		if [ $((found * 20)) -gt $((usual * 19)) ] && [ $((found * 20)) -lt $((usual * 21)) ]; then
			return 0
		fi
		echo "by the 8254 $usual kHz, by ACPI's timer $found kHz"
	done
	return 1
}

@test "no ACPI: interrupts go through the 8259s" {
	works -- -machine pc,acpi=off
	says "no usable MADT"
	says "interrupts: 8259"
}

@test "no local APIC: 8259s and the 8254" {
	works --cpu qemu64,-apic
	says "interrupts: 8259"
}

@test "four CPUs, of which one runs" {
	works --smp 4
	says "4 CPUs named"
}

@test "no NX, no global pages" {
	works --cpu qemu64,-nx,-pge
	says "no-NX"
}

@test "no long mode: said on COM1, and the machine ends" {
	run scripts/boot --mem 128M --timeout 20 --cpu 486
	[ "$status" -eq 1 ]
	[[ $output == *"no long mode"* ]]
}

@test "a direct map of 16 GiB with and without 1 GiB pages" {
	works --mem 16G --append directmap=16G
	works --mem 16G --append directmap=16G --cpu qemu64
}

@test "the smallest direct map" {
	works --mem 2G --append directmap=32M
}

@test "a clock that counts instructions: no thread starves another" {
	# Time passes here only as code runs, so who waits for a turn that never comes is found out.
	run scripts/boot --mem 128M --timeout 120 --append 'selftest=mm.*,thread.* workload=none' -- -icount shift=0
	output=$(echo "$output" | tr -d '\r')
	echo "$output" | tail -n 40
	[ "$status" -eq 0 ]
}
