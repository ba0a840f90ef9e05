#!/usr/bin/env bats
# A running kernel is interrupted, again and again: it stops, where it ran, and has run in between.

load kernel.bash

setup() {
	go_home
	needs gdb qemu-system-x86_64
	kernel=gdb-interrupt-$BATS_TEST_NUMBER
}

teardown() {
	go_home
	stop_kernel "$kernel"
}

# interrupt_session SOCKET INSPECTOR-SOCKET: Ctrl-C from another thread of GDB, as soon as the kernel
# is seen running: it answers on its own line, which it does not while it is stopped.
interrupt_session() {
	cat >"$BATS_TEST_TMPDIR/interrupt.py" <<-END
		import gdb, os, signal, socket, threading
		ROUNDS = 8
		line = socket.socket(socket.AF_UNIX)
		line.connect('$kernel_dir/$2')
		stream = line.makefile('rb')
		def interrupt(round):
		    line.sendall(b'\\x1e{"jsonrpc":"2.0","id":%d,"method":"mm.stat"}\\n' % round)
		    while b'"id":%d,' % round not in stream.readline():
		        pass
		    os.kill(os.getpid(), signal.SIGINT)
		def number(text):
		    return int(gdb.parse_and_eval('(unsigned long)(%s)' % text))
		def progress():
		    given = sum(number('mm_zones[%d].given' % n) for n in range(2))
		    return given, number('runqueues[0].current->switches')
		stops = []
		gdb.events.stop.connect(stops.append)
		signals = moved = steady = in_code = stepped = 0
		last = progress()
		for round in range(ROUNDS):
		    gdb.execute('set scheduler-locking ' + ('on' if round % 2 else 'off'))
		    asker = threading.Thread(target=interrupt, args=(round,))
		    asker.start()
		    gdb.execute('continue', to_string=True)
		    asker.join()
		    gdb.execute('set scheduler-locking off')
		    signals += len(stops) == 1 and getattr(stops[0], 'stop_signal', '') == 'SIGINT'
		    now = progress()
		    moved += now != last
		    last = now
		    # What is stopped stands still.
		    gdb.execute('maintenance flush dcache')
		    steady += progress() == now
		    frame, thread = gdb.selected_frame(), gdb.selected_thread()
		    names = []
		    while frame:
		        names.append(str(frame.name()))
		        frame = frame.older()
		    # Where it ran: no frame is the stub's or of the interrupt that brought the Ctrl-C.
		    in_code += names[-1] in ('context_start', 'start_high') and not any(
		        name in ('on_byte', 'trap_common', 'trap_dispatch') or 'gdbstub' in name or
		        'uart' in name for name in names[:1])
		    # And it goes on from there by one instruction.
		    pc = gdb.selected_frame().pc()
		    gdb.execute('stepi', to_string=True)
		    stepped += gdb.selected_thread().num == thread.num and (
		        gdb.selected_frame().pc() != pc or 'rep' in gdb.execute('x/i \$pc', to_string=True))
		    stops.clear()
		print('interrupted', signals, moved, steady, in_code, stepped)
	END
	gdb_on "$1" -ex "source $BATS_TEST_TMPDIR/interrupt.py" -ex 'mm check' -ex detach
	has '^interrupted 8 8 8 8 8$'
	has 'all is well'
}

@test "Ctrl-C from another thread, eight times, on a busy kernel" {
	start_kernel "$kernel" 'workload=mixed,churn'
	interrupt_session gdb.sock inspect-uart.sock
}

@test "the same on an idle kernel" {
	start_kernel "$kernel" 'workload=none'
	interrupt_session gdb.sock inspect-uart.sock
}
