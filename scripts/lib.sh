# shellcheck shell=sh disable=SC2034
# Shared by the scripts: messages, the run folder, and QEMU's command line, which nobody else knows.
# Sourced, with $0's folder's parent as the working directory.

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

usage_error() {
	echo "${0##*/}: $*; see ${0##*/} --help" >&2
	exit 2
}

QEMU=${QEMU:-qemu-system-x86_64}
QEMU_OLDEST=6

# What the machine is made of; options below change it.
vm_defaults() {
	vm_mem=2G vm_smp=1 vm_accel=${ACCEL:-tcg} vm_link=both vm_append='' vm_name=default
	vm_iso='' vm_uefi='' vm_cpu=''
}

# Takes one option with its value; sets vm_shift to the number of words used, 0 if it is none of ours.
vm_option() {
	vm_shift=2
	case $1 in
	--mem) vm_mem=${2?} ;;
	--smp) vm_smp=${2?} ;;
	--accel) vm_accel=${2?} ;;
	--cpu) vm_cpu=${2?} ;;
	--link) vm_link=${2?} ;;
	--append) vm_append="$vm_append ${2?}" ;;
	--name) vm_name=${2?} ;;
	--iso) vm_iso=y vm_shift=1 ;;
	--uefi) vm_iso=y vm_uefi=y vm_shift=1 ;;
	*) vm_shift=0 ;;
	esac
}

vm_check_options() {
	case $vm_mem in
	*[!0-9MGT]* | '' | [MGT]*) usage_error "--mem '$vm_mem' is no size; it takes, for example, 64M or 2G" ;;
	esac
	case $vm_smp in
	*[!0-9]* | '' | 0) usage_error "--smp '$vm_smp' is no number of CPUs; it takes 1 to 64" ;;
	esac
	case $vm_link in
	uart | virtio | both) ;;
	*) usage_error "--link '$vm_link' is unknown; it takes uart, virtio or both" ;;
	esac
	case $vm_name in
	*[!A-Za-z0-9._-]* | '' | .* | last) usage_error "--name '$vm_name' will not do; it takes letters, digits, '.', '_' and '-', and is not 'last'" ;;
	esac
	command -v "$QEMU" >/dev/null 2>&1 || die "$QEMU is missing; scripts/deps installs it (Debian: qemu-system-x86)"
	vm_version=$("$QEMU" --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p;q')
	[ "${vm_version:-0}" -ge "$QEMU_OLDEST" ] ||
		die "QEMU ${vm_version:-of unknown version} is too old; version $QEMU_OLDEST or newer is needed"
	case $vm_accel in
	tcg) ;;
	kvm)
		[ -w /dev/kvm ] || die "--accel kvm: /dev/kvm is missing or not writable here; use --accel tcg"
		;;
	*) usage_error "--accel '$vm_accel' is unknown; it takes tcg or kvm" ;;
	esac
}

# What scripts/run and scripts/debug start with: a direct map of half the memory (at most 1 GiB), so
# that each of the three zones holds frames; call sites noted; a workload to look at.
vm_showcase() {
	case $vm_mem in
	*T) vm_mib=$((${vm_mem%T} * 1048576)) ;;
	*G) vm_mib=$((${vm_mem%G} * 1024)) ;;
	*) vm_mib=${vm_mem%M} ;;
	esac
	vm_half=$((vm_mib / 2 < 1024 ? vm_mib / 2 : 1024))
	vm_append="directmap=${vm_half}M trace=on workload=mixed $vm_append"
}

# Sets vm_words (machine, CPU, memory, what to boot; paths must hold no blanks) and, for the boot
# parameters, the option vm_how with its value vm_append_as.
vm_machine() {
	case $vm_accel in
	kvm) vm_words="-accel kvm -cpu ${vm_cpu:-host}" ;;
	*) vm_words="-accel tcg -cpu ${vm_cpu:-max}" ;;
	esac
	vm_words="$vm_words -machine q35 -m $vm_mem -smp $vm_smp -nodefaults -no-user-config -display none"
	vm_words="$vm_words -device isa-debug-exit,iobase=0xf4,iosize=0x04"
	case " $vm_append " in
	*" panic=reboot "*) ;;
	*) vm_words="$vm_words -no-reboot" ;;
	esac
	if [ -n "$vm_uefi" ]; then
		vm_firmware=
		for vm_firmware in /usr/share/OVMF/OVMF_CODE.fd /usr/share/OVMF/OVMF_CODE_4M.fd; do
			[ ! -r "$vm_firmware" ] || break
		done
		[ -r "$vm_firmware" ] || die "no UEFI firmware found; scripts/deps test installs it (Debian: ovmf)"
		vm_words="$vm_words -drive if=pflash,format=raw,readonly=on,file=$vm_firmware"
	fi
	# Boot parameters travel on PVH's command line, or to the ISO's kernel through fw_cfg.
	if [ -n "$vm_iso" ]; then
		vm_words="$vm_words -cdrom $PWD/$BUILD/vitrine.iso"
		vm_how=-fw_cfg vm_append_as="name=opt/org.vitrine/append,string=$(echo "$vm_append" | sed 's/,/,,/g')"
	else
		vm_words="$vm_words -kernel $PWD/$BUILD/vitrine.elf"
		vm_how=-append vm_append_as=$vm_append
	fi
}

# vm_says WORD VALUE: whether the last boot parameter of this name has this value.
vm_says() {
	vm_value=
	for vm_parameter in $vm_append; do
		[ "${vm_parameter%%=*}" != "$1" ] || vm_value=${vm_parameter#*=}
	done
	[ "$vm_value" = "$2" ]
}

BUILD=${BUILD:-build}
vm_dir() {
	echo "$BUILD/run/$vm_name"
}

# The pid of the kernel of this name; nothing when there is none. QEMU removes the file as it ends.
vm_pid() {
	cat "$(vm_dir)/pid" 2>/dev/null || :
}

vm_alive() {
	vm_found=$(vm_pid)
	[ -n "$vm_found" ] && kill -0 "$vm_found" 2>/dev/null
}

# Makes the run folder (0700) and refuses a name that a living kernel holds.
vm_claim_dir() {
	vm_path=$(vm_dir)
	if vm_alive; then
		die "a kernel named '$vm_name' runs already (pid $vm_found); end it, or give this one another name with --name"
	fi
	vm_longest=$PWD/$vm_path/inspect-virtio.sock
	[ ${#vm_longest} -le 107 ] ||
		die "the path of the sockets is too long for a unix socket (${#vm_longest} bytes of 107): $vm_longest"
	rm -rf "$vm_path"
	mkdir -p "$BUILD/run"
	mkdir -m 0700 "$vm_path"
}

# Starts QEMU in the run folder with every socket of the house. Arguments go to QEMU as they are.
vm_start() {
	vm_claim_dir
	vm_machine
	vm_virtio=
	vm_chardev=socket,server=on,wait=off
	if [ "$vm_link" != uart ]; then
		vm_virtio="-device virtio-serial-pci -chardev $vm_chardev,id=virtio,path=inspect-virtio.sock"
		vm_virtio="$vm_virtio -device virtserialport,chardev=virtio,name=org.vitrine.inspect"
	fi
	# A link that is not wanted stays unplugged: its UART has nobody behind it.
	vm_uart="-chardev $vm_chardev,id=uart,path=inspect-uart.sock"
	[ "$vm_link" != virtio ] || vm_uart='-chardev null,id=uart'
	(
		cd "$vm_path"
		# shellcheck disable=SC2086
		"$QEMU" $vm_words "$vm_how" "$vm_append_as" -daemonize -pidfile pid \
			-chardev "$vm_chardev,id=console,path=console.sock,logfile=console.log" -serial chardev:console \
			$vm_uart -serial chardev:uart \
			-chardev "$vm_chardev,id=gdb,path=gdb.sock" -serial chardev:gdb \
			-chardev "$vm_chardev,id=qemugdb,path=qemu-gdb.sock" -gdb chardev:qemugdb \
			-qmp unix:qmp.sock,server=on,wait=off \
			$vm_virtio "$@" 2>qemu.log
	) || {
		sed 's/^/  /' "$vm_path/qemu.log" >&2
		[ "$vm_accel" != kvm ] || die "KVM does not work here (QEMU's words are above); use --accel tcg"
		die "QEMU did not start (its words are above)"
	}
	ln -sfn "$vm_name" "$BUILD/run/last"
	# Where an installed memviz, outside of the tree, finds the kernel that was started last.
	if [ -d "${XDG_RUNTIME_DIR:-/nonexistent}" ]; then
		mkdir -p "$XDG_RUNTIME_DIR/vitrine" &&
			echo "$PWD/$vm_path/inspect.sock" >"$XDG_RUNTIME_DIR/vitrine/last" || :
	fi
}

# Waits until the console says ready; 0 when it did, 1 when the kernel ended or the seconds passed.
vm_wait_ready() {
	vm_tries=$(($1 * 20))
	while [ "$vm_tries" -gt 0 ]; do
		! grep -q ' ready: ' "$(vm_dir)/console.log" 2>/dev/null || return 0
		vm_alive || return 1
		sleep 0.05
		vm_tries=$((vm_tries - 1))
	done
	return 1
}

# Ends the script because the kernel was silent for too long; what it said goes first.
vm_not_ready() {
	tail -n 20 "$(vm_dir)/console.log" >&2 2>/dev/null || :
	if [ "$vm_accel" = kvm ] && [ ! -s "$(vm_dir)/console.log" ]; then
		die "--accel kvm: the machine does not run under KVM here; use --accel tcg"
	fi
	die "the kernel did not become ready (its last words are above; all of them: $(vm_dir)/console.log)"
}

vm_stop() {
	if vm_alive; then
		kill "$vm_found" 2>/dev/null || :
		vm_tries=40
		while vm_alive && [ "$vm_tries" -gt 0 ]; do
			sleep 0.05
			vm_tries=$((vm_tries - 1))
		done
		! vm_alive || kill -9 "$vm_found" 2>/dev/null || :
	fi
	rm -f "$(vm_dir)"/*.sock "$(vm_dir)/pid"
}

# Builds quietly; on failure shows what the compiler said.
build_quietly() {
	vm_log=$(mktemp)
	if ! make -j"$(nproc)" BUILD="$BUILD" "$@" >"$vm_log" 2>&1; then
		cat "$vm_log" >&2
		rm -f "$vm_log"
		die "the build failed (above)"
	fi
	rm -f "$vm_log"
}
