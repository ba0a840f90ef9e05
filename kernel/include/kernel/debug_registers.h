/*
 * The CPU's debug registers: four addresses to stop at, and what hit. Of this CPU alone.
 */
#ifndef KERNEL_DEBUG_REGISTERS_H
#define KERNEL_DEBUG_REGISTERS_H

#include <stdint.h>

#define DR6_CLEAR UINT64_C(0xffff0ff0) /* what the CPU reads as with nothing in it */
#define DR7_OFF	  UINT64_C(0x400)

#define DEBUG_REGISTER(n)                                                           \
	static inline uint64_t read_dr##n(void)                                     \
	{                                                                           \
		uint64_t value;                                                     \
                                                                                    \
		__asm__ volatile("movq %%db" #n ", %0" : "=r"(value) : : "memory"); \
		return value;                                                       \
	}                                                                           \
	static inline void write_dr##n(uint64_t value)                              \
	{                                                                           \
		__asm__ volatile("movq %0, %%db" #n : : "r"(value) : "memory");     \
	}
DEBUG_REGISTER(0)
DEBUG_REGISTER(1)
DEBUG_REGISTER(2)
DEBUG_REGISTER(3)
DEBUG_REGISTER(6)
DEBUG_REGISTER(7)
#undef DEBUG_REGISTER

#endif
