#include <kernel/boot_protocol.h>
#include <kernel/percpu.h>

struct percpu boot_percpu;

extern unsigned char boot_stack[];
__attribute__((section(".bss.stacks"), aligned(4096))) unsigned char boot_stack[GUARD_BYTES + KSTACK_BYTES];
