# What the kernel says when it dies, and that it always dies within seconds.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
}

# dies NAME: runs crash.NAME and expects a panic that ends the machine as a failure.
dies() {
	run scripts/boot --mem 128M --timeout 30 --append "selftest=crash.$1 loglevel=0"
	output=$(echo "$output" | tr -d '\r')
	echo "$output" | tail -n 40
	[ "$status" -eq 1 ]
	[[ $output == *"panic: "* ]]
}

says() {
	[[ $output == *"$1"* ]] || {
		echo "missing: $1"
		return 1
	}
}

@test "a stack overflow is a double fault that names the stack and the function" {
	dies stack_overflow
	says "double fault"
	says "guard page of the stack of thread 'crash.stack_overflow': the stack overflowed"
	says "recurse+0x"
}

@test "an overrun buffer is named as such, with the function that found it" {
	dies overrun
	says "stack protector"
	says "fill_buffer"
}

@test "a call through a null pointer" {
	dies wild_jump
	says "tried to execute 0x0"
	says "null pointer"
	says "crash_wild_jump+0x"
}

@test "a write to code says what it hit and why it may not" {
	dies code_write
	says "tried to write to"
	says "read-only"
	says "kernel's code (cpu_init)"
}

@test "a wild pointer is found in its register" {
	dies non_canonical
	says "general protection fault"
	says "= 0xdeadbeefdeadbeef is no canonical address"
	says "crash_non_canonical+0x"
}

@test "registers are shown" {
	dies wild_jump
	for register in rax rbx rcx rdx rsi rdi rbp rsp r8 r15 rip rflags cr0 cr2 cr3 cr4 efer; do
		says "$register "
	done
}

@test "a triple fault ends the machine at once and is no success" {
	run scripts/boot --mem 128M --timeout 30 --append 'selftest=crash.triple_fault'
	[ "$status" -eq 3 ]
}

@test "poweroff works by ACPI" {
	run scripts/boot --mem 128M --timeout 30 --append 'selftest=crash.poweroff'
	[ "$status" -eq 3 ]
	[[ $output != *"could not be switched off"* ]]
}

@test "reboot works" {
	run scripts/boot --mem 128M --timeout 30 --append 'selftest=crash.reboot'
	[ "$status" -eq 3 ]
}

@test "panic=reboot reboots" {
	# scripts/boot lets such a machine reboot; here the first one is enough.
	run scripts/boot --mem 128M --timeout 30 --append 'panic=reboot directmap=32M workload=nonsense selftest=crash.wild_jump' -- -no-reboot
	[ "$status" -ne 0 ]
	[ "$status" -ne 124 ]
}
