"""cut_link.py LISTEN TARGET BYTES [lose]: a proxy between unix sockets that breaks its first
connection after so many bytes from the target, and passes all later ones on untouched. With `lose`
it breaks none, but loses one byte of so many."""

import os
import select
import socket
import sys


def passes(client, target, most, lose):
    """Relays until one side ends or `most` bytes came back."""
    came = 0
    while True:
        for side in select.select([client, target], [], [])[0]:
            data = side.recv(4096 if most is None else min(4096, max(most - came, 1)))
            if not data:
                return
            came += len(data) if side is target else 0
            lost = lose and side is target and came >= most
            (target if side is client else client).sendall(data[:-1] if lost else data)
            if lost:
                came = 0
            elif most is not None and came >= most:
                return


def main():
    listen_at, target_at, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
    lose = sys.argv[4:] == ["lose"]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(listen_at + ".new")
    listener.listen(4)
    os.rename(listen_at + ".new", listen_at)
    while True:
        client = listener.accept()[0]
        target = socket.socket(socket.AF_UNIX)
        target.connect(target_at)
        try:
            passes(client, target, most, lose)
        except OSError:
            pass
        client.close()
        target.close()
        most = most if lose else None


main()
