# Misuse ends in a panic that says what was wrong and where; a self-test that fails, hangs or panics
# is a failed run within seconds.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../../.."
}

# crashes TEST TEXT: the self-test must fail, and the panic must say TEXT.
crashes() {
	run scripts/boot --mem 64M --timeout 30 --append "selftest=crash.$1"
	echo "$output" | tail -n 25
	[ "$status" -eq 1 ]
	[[ $output == *"panic: $2"* ]]
	[[ $output == *"not ok 1 - crash.$1 # the kernel panicked"* ]]
	[[ $output == *"Bail out!"* ]]
}

@test "a spinlock taken twice by one CPU, with the place of the first time" {
	crashes spinlock_twice "spinlock 'bad' is taken again by CPU 0, which took it at "
	[[ $output == *"crash_spinlock_twice+0x"* ]]
}

@test "a spinlock released by one who does not hold it" {
	crashes spinlock_not_held "spinlock 'bad' is released by CPU 0, which does not hold it"
}

@test "a spinlock taken in interrupts and with interrupts enabled" {
	crashes spinlock_interrupts "spinlock 'bad' is taken in interrupts and with interrupts enabled"
}

@test "sleeping with a spinlock held" {
	crashes sleep_with_lock "cannot wait for 'sleep' here: interrupts are on, preemption is disabled 1"
}

@test "sleeping in an interrupt" {
	crashes sleep_in_interrupt "cannot wait for 'sleep' here: interrupts are off"
	[[ $output == *", and this is an interrupt"* ]]
}

@test "a mutex locked again by its owner" {
	crashes mutex_twice "mutex 'test' is locked again by its owner, thread 'crash.mutex_twice'"
}

@test "a panic ends in a symbolised backtrace" {
	crashes panic "on purpose: 42"
	[[ $output == *"crash_panic+0x"* ]]
	[[ $output == *"thread_begin+0x"* ]]
}

@test "a fault ends in a panic with registers and the cause in words" {
	crashes fault "page fault: the kernel tried to write to 0x10"
	[[ $output == *"rax "* ]]
	[[ $output == *"crash_fault+0x"* ]]
}

@test "panic=exit leaves QEMU at once with a status of its own" {
	run scripts/boot --mem 64M --timeout 30 --append 'selftest=crash.nested panic=exit'
	[[ $output == *"panic within a panic: again"* ]]
	[ "$status" -eq 3 ]
}

@test "a test that sleeps for ever is a failure within its time limit" {
	run scripts/boot --mem 64M --timeout 30 --append 'selftest=crash.hang'
	[ "$status" -eq 1 ]
	[[ $output == *"not ok 1 - crash.hang # timed out"* ]]
}

@test "a test that spins for ever is a failure within its time limit" {
	run scripts/boot --mem 64M --timeout 30 --append 'selftest=crash.spin'
	[ "$status" -eq 1 ]
	[[ $output == *"not ok 1 - crash.spin # timed out"* ]]
}

@test "a failed expectation is reported with its place and the run fails" {
	run scripts/boot --mem 64M --timeout 30 --append 'selftest=crash.failure'
	[ "$status" -eq 1 ]
	[[ $output == *"selftest_thread.c:"*"arithmetic holds"* ]]
	[[ $output == *"not ok 1 - crash.failure"* ]]
}

@test "a pattern that matches no test is a failure" {
	run scripts/boot --mem 64M --timeout 30 --append 'selftest=no.such'
	[ "$status" -eq 1 ]
	[[ $output == *"no test matches 'no.such'"* ]]
}
