/*
 * Offsets in struct percpu that assembly and the compiler rely on; percpu.h checks them.
 * Preprocessor only.
 */
#ifndef KERNEL_PERCPU_OFFSETS_H
#define KERNEL_PERCPU_OFFSETS_H

#define PERCPU_SELF    0
#define PERCPU_CURRENT 8
#define PERCPU_KSTACK  16
#define PERCPU_CANARY  40 /* fixed by the compiler: -fstack-protector reads %gs:40 */

#endif
