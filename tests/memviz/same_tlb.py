"""same_tlb.py MAPPINGS TLB: memviz's mappings (the result object) against QEMU's `info tlb`, leaf
by leaf: address, physical address, size, rights. Says how many there are, or what differs."""

import json
import sys

LETTERS = "XGPDACTUW"  # as QEMU prints them, a dash for each that is not set


def of_memviz(path):
    leaves = {}
    with open(path, encoding="ascii") as file:
        for run in json.load(file)["runs"]:
            va, pa, page = int(run["va"], 16), int(run["pa"], 16), run["page"]
            for offset in range(0, run["len"], page):
                leaves[va + offset] = (pa + offset, page > 4096, run["flags"])
    return leaves


def of_qemu(path):
    leaves = {}
    with open(path, encoding="ascii") as file:
        for line in file:
            parts = line.split()
            if len(parts) == 3 and len(parts[2]) == len(LETTERS):
                set_ = {letter for letter in LETTERS if letter in parts[2]}
                flags = "".join(
                    letter if on else "-"
                    for letter, on in (("w", "W" in set_), ("x", "X" not in set_), ("u", "U" in set_),
                                       ("g", "G" in set_), ("t", "T" in set_), ("c", "C" in set_)))
                leaves[int(parts[0].rstrip(":"), 16)] = (int(parts[1], 16), "P" in set_, flags)
    return leaves


def main():
    ours, theirs = of_memviz(sys.argv[1]), of_qemu(sys.argv[2])
    wrong = [va for va in sorted(set(ours) | set(theirs)) if ours.get(va) != theirs.get(va)]
    for va in wrong[:10]:
        print("0x%x: memviz %s, QEMU %s" % (va, ours.get(va), theirs.get(va)))
    print("%d leaves, %d differ" % (len(theirs), len(wrong)))
    sys.exit(bool(wrong) or not theirs)


main()
