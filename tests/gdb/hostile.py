"""Everything that may come over the line, into a running kernel's stub; `?` is answered after each.

Run inside GDB (for its Python and its symbols), which itself is not attached; DIR holds the sockets.
"""

import re
import socket
import time

import gdb

HANDLER = int(gdb.parse_and_eval("(unsigned long)&insp_do_kmalloc"))
DATA = int(gdb.parse_and_eval("(unsigned long)&mm_machine"))


def frame(body):
    body = body if isinstance(body, bytes) else body.encode()
    return b"$%s#%02x" % (body, sum(body) & 255)


def session():
    """What a debugger says, in its order."""
    packets = [
        "qSupported:multiprocess+;swbreak+;hwbreak+;error-message+", "vMustReplyEmpty", "Hg0",
        "qXfer:features:read:target.xml:0,400", "qTStatus", "?", "qXfer:threads:read::0,1000", "Hc-1",
        "qAttached", "g", "m%x,40" % HANDLER, "x%x,40" % DATA, "Z0,%x,1" % HANDLER, "Z2,%x,8" % DATA,
        "vCont;s", "vCont;r%x,%x" % (HANDLER, HANDLER + 64), "g", "z2,%x,8" % DATA, "vCont;c",
        "z0,%x,1" % HANDLER, "qCRC:%x,100" % HANDLER, "qSearch:memory:%x;100;abc" % HANDLER,
        "qRcmd,68656c70", "Qqemu.PhyMemMode:1", "m1000000,10", "Qqemu.PhyMemMode:0", "T1",
        "qfThreadInfo", "qsThreadInfo", "QStartNoAckMode", "m%x,1000" % DATA,
    ]
    return b"+".join(frame(body) for body in packets)


def hostile():
    """Name and bytes."""
    much = b"m" + b"A" * 70000
    yield "an m packet of 64 KiB", frame(b"m%x,4" % DATA + b"0" * 65536)
    yield "m of 64 KiB at once", frame("m%x,10000" % DATA)
    yield "x of 64 KiB at once", frame("x%x,10000" % DATA)
    yield "overlong and corrupt", b"$" + much + b"#00"
    yield "overlong and intact", frame(much)
    yield "overlong without an end", b"$" + much
    yield "a checksum that is no number", b"$qC#zz"
    yield "a wrong checksum", b"$qC#00"
    yield "half a checksum", b"$qC#b"
    yield "a packet within a packet", b"$m1000,$m10$$$g#67"
    yield "an empty packet", b"$#00"
    yield "acknowledgements of nothing", b"+-+-++--+"
    yield "interrupts", b"\x03" * 50
    yield "all bytes", bytes(range(256)) * 20
    yield "escapes without an end", frame(b"X%x,4:a}" % DATA)
    yield "data shorter than announced", frame("X%x,ffffffffffffffff:a" % DATA)
    for body in ("M%x,ffffffffffffffff:00" % DATA, "m%x,ffffffffffffffff" % DATA,
                 "qXfer:features:read:target.xml:0,ffffffffffffffff",
                 "qXfer:features:read:target.xml:ffffffffffffffff,1",
                 "qSearch:memory:0;ffffffffffffffff;a", "qCRC:ffffffffffffffff,ffffffffffffffff",
                 "Z0,ffffffffffffffff,1", "Z2,ffffffffffffffff,8", "Z0,0,1", "Z1,800000000000,1",
                 "Z9,1000,1", "Z0,,", "vCont;rffffffffffffffff,0;x", "vCont;s:ffffffff", "Hgffffffffffffffff",
                 "pffffffffffffffff", "P10=0000000000000080", "Gzz", "qThreadExtraInfo,ffffffffffffffff",
                 "qRegisterInfoffffffffffffffff", "qMemoryRegionInfo:ffffffffffffffff",
                 "qRcmd,f", "qRcmd," + "61" * 5000):
        yield body[:60], frame(body)


class Line:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(DIR + "/gdb.sock")
        self.socket.settimeout(60)

    def send(self, data):
        self.socket.sendall(data)

    def answers(self):
        """Whether `?` is answered. What else was on its way comes before the answer to qC."""
        self.send(frame("qC") + b"+" + frame("?") + b"+")
        heard = b""
        while not re.search(rb"(?s)\$QC[0-9a-f]+#..\+?\$T[0-9a-f]{2}[^$]*#..", heard):
            heard += self.socket.recv(1 << 16)
        return True


def slow_reader(line):
    """A socket holds some hundred bytes of a UART's: the rest waits until the debugger reads."""
    line.send(frame("m%x,2000" % (DATA & ~0xfff)))
    time.sleep(1)
    heard = b""
    while not re.search(rb"(?s)#..$", heard):
        heard += line.socket.recv(1 << 16)
    body, checksum = heard[heard.index(b"$") + 1 : -3], heard[-2:]
    print("whole" if checksum == b"%02x" % (sum(body) & 255) else "cut off")


def main():
    line = Line()
    line.send(frame("qSupported"))
    line.answers()
    slow_reader(line)
    for no_ack in (False, True):
        if no_ack:
            line.send(frame("QStartNoAckMode"))
        for name, data in hostile():
            line.send(data)
            if line.answers():
                print("answered after", name)
    whole = session()
    for length in range(len(whole) + 1):
        line.send(whole[:length])
        line.answers()
    print("every truncation answered:", len(whole) + 1)
    line.send(frame("D"))
    heard = b""
    while not heard.endswith(frame("OK")):
        heard += line.socket.recv(1 << 16)
    line.socket.close()


main()
