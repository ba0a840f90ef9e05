# The kernel boots on every size of machine, by every way in, and says so.
# Each boot ends by itself: a pattern of one quick self-test makes the kernel report and exit.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
}

# boots MEMORY OPTION...: boots and expects success and a ready kernel.
boots() {
	mem=$1
	shift
	run scripts/boot --mem "$mem" --timeout 120 --append 'selftest=boot.*' "$@"
	echo "$output" | tail -n 30
	[ "$status" -eq 0 ]
	[[ $output == *ready* ]]
}

for_sizes() {
	for mem in 64M 128M 512M 2G 3584M 5G 16G; do
		echo "# --mem $mem $*" >&3
		boots "$mem" "$@"
	done
}

@test "PVH, 64 MiB to 16 GiB" {
	for_sizes
}

@test "ISO by BIOS, 64 MiB to 16 GiB" {
	for_sizes --iso
}

@test "ISO by UEFI, 64 MiB to 16 GiB" {
	for_sizes --uefi
}

@test "an old CPU without SMEP, SMAP, UMIP, 1 GiB pages or x2APIC" {
	boots 512M --cpu qemu64
}

@test "a wrong boot parameter is named with what would be right" {
	run scripts/boot --append 'selftest=boot.* lglevel=3 panic=sometimes'
	[[ $output == *lglevel*loglevel* ]]
	[[ $output == *panic*wait*reboot*exit* ]]
}
