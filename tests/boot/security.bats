# Each protection has a self-test, and each self-test notices when its protection is off: the kernel
# is booted with weaken=NAME and exactly the tests of that protection must fail.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
}

# weakened NAME TEST...: boots with weaken=NAME; of security.*, exactly these tests fail.
weakened() {
	name=$1
	shift
	run scripts/boot --mem 256M --timeout 60 --append "selftest=security.* weaken=$name"
	echo "$output" | tail -n 40
	[ "$status" -eq 1 ]
	failed=$(echo "$output" | tr -d '\r' | sed -n 's/^not ok [0-9]* - //p' | sort | tr '\n' ' ')
	expected=$(printf '%s\n' "$@" | sort | tr '\n' ' ')
	echo "failed: $failed; expected: $expected"
	[ "$failed" = "$expected" ]
}

@test "nothing is weakened: all security tests pass" {
	run scripts/boot --mem 256M --timeout 60 --append 'selftest=security.*'
	echo "$output" | tail -n 40
	[ "$status" -eq 0 ]
	[[ $output != *"not ok"* ]]
	[[ $output != *SKIP* ]]
}

@test "weaken=wx: code mapped writable is noticed" {
	weakened wx security.wx security.code
}

@test "weaken=nx: executable data is noticed" {
	weakened nx security.nx security.wx
}

@test "weaken=wp: a kernel that may write anywhere is noticed" {
	weakened wp security.wp security.code
}

@test "weaken=smep: executable user pages are noticed" {
	weakened smep security.smep
}

@test "weaken=smap: readable user pages are noticed" {
	weakened smap security.smap
}

@test "weaken=umip: readable descriptor tables are noticed" {
	weakened umip security.umip
}

@test "weaken=guard: mapped guard pages are noticed" {
	weakened guard security.guard
}

@test "weaken=canary: a stack protector that anybody can guess is noticed" {
	weakened canary security.canary
}

@test "weaken=user: kernel pages open to ring 3 are noticed" {
	# Open pages rule SMEP and SMAP out: the kernel could not run.
	weakened user security.ring3_memory security.smap security.smep security.wx
}

@test "a CPU without the protections skips their tests and passes the rest" {
	run scripts/boot --mem 256M --cpu qemu64,-nx --timeout 60 --append 'selftest=security.*'
	echo "$output" | tail -n 40
	[ "$status" -eq 0 ]
	[[ $output == *"security.nx # SKIP"* ]]
	[[ $output == *"security.smep # SKIP"* ]]
}
