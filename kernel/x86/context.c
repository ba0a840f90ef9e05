#include <kernel/switch.h>

void context_start(void);

uint64_t context_prepare(uintptr_t stack_end, void (*entry)(void *argument), void *argument)
{
	/* After the switch has popped the frame, context_start() finds an aligned stack. */
	struct switch_frame *frame = (struct switch_frame *)(stack_end & ~(uintptr_t)15) - 1;

	*frame = (struct switch_frame){
		.rbx = (uint64_t)(uintptr_t)entry,
		.r12 = (uint64_t)(uintptr_t)argument,
		.rip = (uint64_t)(uintptr_t)context_start,
	};
	return (uint64_t)(uintptr_t)frame;
}
