"""Rows of `make bench B=gdb`: run inside GDB by tests/bench/gdb-stub, which boots the kernel.

DIR holds the kernel's sockets. A row is name, value, unit, peer, peer_value.
"""

import json
import os
import re
import socket
import statistics
import time

import gdb

MIB = 1 << 20
BLOCK = MIB // 16
RUNS = 3


def row(name, value, unit, peer="-", peer_value="-"):
    print("ROW\t%s\t%.2f\t%s\t%s\t%s" % (name, value, unit, peer, peer_value))


def seconds(call):
    start = time.monotonic()
    call()
    return time.monotonic() - start


def attach(sock):
    return seconds(lambda: gdb.execute("target remote %s/%s" % (DIR, sock), to_string=True))


def read_rate(address):
    """KiB a second of GDB reading 1 MiB, as 16 times the same 64 KiB."""
    inferior = gdb.selected_inferior()
    return MIB / 1024 / seconds(lambda: [inferior.read_memory(address, BLOCK) for _ in range(16)])


def wire_rate():
    """KiB a second of a bare loop of 16-byte bursts on this line, into this GDB."""
    return MIB / 1024 / seconds(lambda: gdb.execute("monitor wire 1M", to_string=True))


def side_by_side(address):
    """Wire and read by turns, since other work on the machine moves both."""
    pairs = [(wire_rate(), read_rate(address)) for _ in range(RUNS)]
    return statistics.median(w for w, _ in pairs), statistics.median(r for _, r in pairs)


class Client:
    """A debugger that reads by `x`, as GDB 16 and LLDB do; GDB 13 knows hex alone."""

    def __init__(self):
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(DIR + "/gdb.sock")
        self.ask(b"qSupported:swbreak+;binary-upload+")
        self.ask(b"QStartNoAckMode")

    def ask(self, body):
        self.line.sendall(b"$%s#%02x" % (body, sum(body) & 255))
        answer = b""
        while answer[-3:-2] != b"#":
            answer += self.line.recv(1 << 17)
        return answer[answer.rindex(b"$") + 1 : -3]

    def read(self, address, length):
        got = b""
        while len(got) < length:
            body = self.ask(b"x%x,%x" % (address + len(got), min(length - len(got), 0x3c00)))
            assert body[:1] == b"b", body
            body = re.sub(rb"(?s)(.)\*(.)", lambda run: run[1] * (run[2][0] - 28), body[1:])
            got += re.sub(rb"(?s)}(.)", lambda pair: bytes([pair[1][0] ^ 32]), body)
        return got

    def rates(self, address):
        """KiB a second of the wire and of reading, by turns."""
        wire = MIB / 1024 / seconds(lambda: self.ask(b"qRcmd," + b"wire 1M".hex().encode()))
        read = MIB / 1024 / seconds(lambda: [self.read(address, BLOCK) for _ in range(16)])
        return wire, read


def binary_rates(address, data):
    client = Client()
    assert client.read(address, BLOCK) == data
    pairs = [client.rates(address) for _ in range(RUNS)]
    client.ask(b"D")
    client.line.close()
    return [statistics.median(column) for column in zip(*pairs)]


def packets_sent():
    with open(DIR + "/remote.log", errors="replace") as file:
        return sum(line.startswith("w $") for line in file)


def trips(command):
    """Round trips of one GDB command."""
    before = packets_sent()
    gdb.execute(command, to_string=True)
    return packets_sent() - before


def next_over_loop(buffer):
    """`next` over 100 rounds of REP MOVSB, the loop of one line that every kernel has."""
    names = "rip rsp rbp rdi rsi rdx rax rcx".split()
    saved = {name: int(gdb.parse_and_eval("(unsigned long)$" + name)) for name in names}
    for name, value in {"rdi": buffer, "rsi": buffer, "rdx": 100}.items():
        gdb.execute("set $%s = %d" % (name, value))
    gdb.execute("set $rip = copy_with_recovery")
    inferior = gdb.selected_inferior()
    while bytes(inferior.read_memory(gdb.selected_frame().pc(), 2)) != b"\xf3\xa4":
        gdb.execute("stepi", to_string=True)
    count = trips("next")
    for name, value in saved.items():
        gdb.execute("set $%s = %d" % (name, value))
    return count


def main():
    attach_times = []
    for _ in range(RUNS):
        attach_times.append(attach("gdb.sock"))
        gdb.execute("detach", to_string=True)
    gdb.execute("set remotelogfile %s/remote.log" % DIR)
    attach("gdb.sock")
    noise = int(json.loads(gdb.execute("monitor mm.kmalloc %d" % BLOCK, to_string=True))["addr"], 16)
    zeros = int(json.loads(
        gdb.execute("monitor mm.kmalloc %d zero=true" % BLOCK, to_string=True))["addr"], 16)
    gdb.execute("stepi", to_string=True)
    step_trips = trips("stepi")
    next_trips = next_over_loop(zeros)
    gdb.execute("detach", to_string=True)
    gdb.execute("set remotelogfile /dev/null")
    attach("gdb.sock")
    data = os.urandom(BLOCK)
    gdb.selected_inferior().write_memory(noise, data)
    wire, random_rate = side_by_side(noise)
    zero_rate = read_rate(zeros)
    gdb.execute("detach", to_string=True)
    binary_wire, binary_rate = binary_rates(noise, data)
    attach("qemu-gdb.sock")
    qemu_random, qemu_zero = read_rate(noise), read_rate(zeros)
    gdb.execute("detach", to_string=True)
    row("gdb.read_random", random_rate, "KiB/s", "half the wire", "%.2f" % (wire / 2))
    row("gdb.read_random.kgdb", random_rate, "KiB/s", "kgdb 6.1", "42")
    row("gdb.read_random.qemu", random_rate, "KiB/s", "QEMU's stub",
        "%.2f" % qemu_random)
    row("gdb.read_random.binary", binary_rate, "KiB/s", "the wire", "%.2f" % binary_wire)
    row("gdb.read_random.binary.qemu", binary_rate, "KiB/s", "QEMU's stub (GDB 13)",
        "%.2f" % qemu_random)
    row("gdb.read_zero", zero_rate, "KiB/s", "QEMU's stub", "%.2f" % qemu_zero)
    row("gdb.next_loop_100", next_trips, "round trips", "budget", "12")
    row("gdb.stepi", step_trips, "round trips", "budget", "3")
    row("gdb.attach", 1000 * statistics.median(attach_times), "ms", "budget", "300")


main()
