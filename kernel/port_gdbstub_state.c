/*
 * The GDB stub's port.h on this kernel: registers and threads.
 *
 * The stopped thread's registers are its trap frame. Of every other thread the switch saved those
 * that a call preserves; the rest is not known, and GDB shows it so.
 */
#include "port_gdbstub.h"

#include <kernel/cpu.h>
#include <kernel/debug_registers.h>
#include <kernel/paging.h>
#include <kernel/percpu.h>
#include <kernel/printf.h>
#include <kernel/thread.h>
#include <kernel/trap_offsets.h>
#include <string.h>

/* Where each general register lies in a trap frame. */
static const uint8_t frame_gpr[GDBSTUB_GPRS] = {
	[GDBSTUB_RAX] = offsetof(struct trap_frame, rax),
	[GDBSTUB_RCX] = offsetof(struct trap_frame, rcx),
	[GDBSTUB_RDX] = offsetof(struct trap_frame, rdx),
	[GDBSTUB_RBX] = offsetof(struct trap_frame, rbx),
	[GDBSTUB_RSP] = offsetof(struct trap_frame, rsp),
	[GDBSTUB_RBP] = offsetof(struct trap_frame, rbp),
	[GDBSTUB_RSI] = offsetof(struct trap_frame, rsi),
	[GDBSTUB_RDI] = offsetof(struct trap_frame, rdi),
	[GDBSTUB_R8] = offsetof(struct trap_frame, r8),
	[GDBSTUB_R9] = offsetof(struct trap_frame, r9),
	[GDBSTUB_R10] = offsetof(struct trap_frame, r10),
	[GDBSTUB_R11] = offsetof(struct trap_frame, r11),
	[GDBSTUB_R12] = offsetof(struct trap_frame, r12),
	[GDBSTUB_R13] = offsetof(struct trap_frame, r13),
	[GDBSTUB_R14] = offsetof(struct trap_frame, r14),
	[GDBSTUB_R15] = offsetof(struct trap_frame, r15),
};

/* Bits of RFLAGS that a debugger may set: the arithmetic ones, TF, IF, DF, IOPL, NT, RF, AC, ID. */
#define RFLAGS_SETTABLE UINT64_C(0x257fd5)

static uint64_t *frame_register(struct trap_frame *frame, unsigned gpr)
{
	return (uint64_t *)(void *)((char *)frame + frame_gpr[gpr]);
}

static uint16_t read_segment(enum gdbstub_segment which)
{
	uint16_t value = 0;

	switch (which) {
	case GDBSTUB_DS:
		__asm__("movw %%ds, %0" : "=r"(value));
		break;
	case GDBSTUB_ES:
		__asm__("movw %%es, %0" : "=r"(value));
		break;
	case GDBSTUB_FS:
		__asm__("movw %%fs, %0" : "=r"(value));
		break;
	case GDBSTUB_GS:
		__asm__("movw %%gs, %0" : "=r"(value));
		break;
	default:
		break;
	}
	return value;
}

static void from_frame(struct trap_frame *frame, struct gdbstub_registers *regs)
{
	for (unsigned i = 0; i < GDBSTUB_GPRS; i++)
		regs->gpr[i] = *frame_register(frame, i);
	regs->rip = frame->rip;
	regs->rflags = frame->rflags;
	regs->segment[GDBSTUB_CS] = (uint16_t)frame->cs;
	regs->segment[GDBSTUB_SS] = (uint16_t)frame->ss;
}

void stub_note_registers(struct stub_target *target)
{
	struct gdbstub_registers *regs = &target->before;
	struct fpu_state fpu;

	from_frame(target->frame, regs);
	for (unsigned i = GDBSTUB_DS; i < GDBSTUB_SEGMENTS; i++)
		regs->segment[i] = read_segment((enum gdbstub_segment)i);
	regs->fs_base = rdmsr(MSR_FS_BASE);
	regs->gs_base = rdmsr(trap_from_user(target->frame) ? MSR_KERNEL_GS : MSR_GS_BASE);
	regs->control[GDBSTUB_CR0] = read_cr0();
	regs->control[GDBSTUB_CR2] = target->frame->cr2 ? target->frame->cr2 : read_cr2();
	regs->control[GDBSTUB_CR3] = read_cr3();
	regs->control[GDBSTUB_CR4] = read_cr4();
	regs->control[GDBSTUB_CR8] = read_cr8();
	regs->control[GDBSTUB_EFER] = rdmsr(MSR_EFER);
	fpu_save(&fpu);
	memcpy(regs->fxsave, fpu.bytes, sizeof(regs->fxsave));
	regs->gprs_known = (1u << GDBSTUB_GPRS) - 1;
	regs->groups = GDBSTUB_HAS_ALL;
}

static void from_switch(const struct thread_info *info, struct gdbstub_registers *regs)
{
	memset(regs, 0, sizeof(*regs));
	regs->gpr[GDBSTUB_RBX] = info->rbx;
	regs->gpr[GDBSTUB_RBP] = info->rbp;
	regs->gpr[GDBSTUB_RSP] = info->rsp;
	regs->gpr[GDBSTUB_R12] = info->r12;
	regs->gpr[GDBSTUB_R13] = info->r13;
	regs->gpr[GDBSTUB_R14] = info->r14;
	regs->gpr[GDBSTUB_R15] = info->r15;
	regs->rip = info->rip;
	regs->gprs_known = 1u << GDBSTUB_RBX | 1u << GDBSTUB_RBP | 1u << GDBSTUB_RSP |
			   1u << GDBSTUB_R12 | 1u << GDBSTUB_R13 | 1u << GDBSTUB_R14 |
			   1u << GDBSTUB_R15;
}

bool gdbstub_port_read_registers(void *target, uint64_t thread_id, struct gdbstub_registers *regs)
{
	struct stub_target *self = target;
	struct thread_info info;

	if (thread_id == self->thread_id) {
		from_frame(self->frame, &self->before);
		*regs = self->before;
		return true;
	}
	if (thread_id > UINT32_MAX || !thread_info_by_id((uint32_t)thread_id, &info))
		return false;
	from_switch(&info, regs);
	return true;
}

/* Only what a return from the trap loads can change: selectors to one of the two legal pairs. */
static bool selectors_fit(const struct gdbstub_registers *regs)
{
	uint16_t cs = regs->segment[GDBSTUB_CS], ss = regs->segment[GDBSTUB_SS];

	return (cs == KERNEL_CS && (ss == KERNEL_DS || ss == 0)) ||
	       (cs == USER_CS && ss == USER_DS);
}

/* Bits of CR0 that a debugger may change: MP NE WP AM. The rest, CR3, CR4 and EFER would take the
 * ground from under the stub, as would the kernel's own GS base. */
#define CR0_SETTABLE UINT64_C(0x50022)
#define CR8_MAX	     15u

static bool specials_fit(const struct gdbstub_registers *now, const struct gdbstub_registers *want)
{
	static const enum gdbstub_control fixed[] = {GDBSTUB_CR3, GDBSTUB_CR4, GDBSTUB_EFER};

	for (unsigned i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (now->control[fixed[i]] != want->control[fixed[i]])
			return false;
	return !memcmp(&now->segment[GDBSTUB_DS], &want->segment[GDBSTUB_DS],
		       sizeof(now->segment) - GDBSTUB_DS * sizeof(*now->segment)) &&
	       !((now->control[GDBSTUB_CR0] ^ want->control[GDBSTUB_CR0]) & ~CR0_SETTABLE) &&
	       want->control[GDBSTUB_CR8] <= CR8_MAX && paging_canonical(want->fs_base) &&
	       (now->gs_base == want->gs_base ||
		(now->segment[GDBSTUB_CS] == USER_CS && paging_canonical(want->gs_base)));
}

static void load_specials(struct stub_target *target, const struct gdbstub_registers *want)
{
	struct gdbstub_registers *now = &target->before;

	if (!memcmp(now->control, want->control, sizeof(now->control)) &&
	    now->fs_base == want->fs_base && now->gs_base == want->gs_base)
		return;
	write_cr0(want->control[GDBSTUB_CR0]);
	write_cr2(want->control[GDBSTUB_CR2]);
	write_cr8(want->control[GDBSTUB_CR8]);
	wrmsr(MSR_FS_BASE, want->fs_base);
	if (now->gs_base != want->gs_base)
		wrmsr(MSR_KERNEL_GS, want->gs_base);
	target->frame->cr2 = want->control[GDBSTUB_CR2];
	memcpy(now->control, want->control, sizeof(now->control));
	now->fs_base = want->fs_base;
	now->gs_base = want->gs_base;
}

static void load_fpu(struct stub_target *target, const uint8_t *image)
{
	struct fpu_state fpu;

	if (!memcmp(target->before.fxsave, image, sizeof(fpu.bytes)))
		return;
	memcpy(fpu.bytes, image, sizeof(fpu.bytes));
	memset(fpu.bytes + 26, 0, 6); /* MXCSR: reserved bits fault; the mask is not loaded */
	fpu_restore(&fpu);
	memcpy(target->before.fxsave, fpu.bytes, sizeof(fpu.bytes));
}

bool gdbstub_port_write_registers(void *target, uint64_t thread_id,
				  const struct gdbstub_registers *regs)
{
	struct stub_target *self = target;
	struct trap_frame *frame = self->frame;

	if (thread_id != self->thread_id || !paging_canonical(regs->rip) || !selectors_fit(regs) ||
	    !specials_fit(&self->before, regs))
		return false;
	load_specials(self, regs);
	for (unsigned i = 0; i < GDBSTUB_GPRS; i++)
		*frame_register(frame, i) = regs->gpr[i];
	frame->rip = regs->rip;
	frame->rflags = (regs->rflags & RFLAGS_SETTABLE) | 2;
	frame->cs = regs->segment[GDBSTUB_CS];
	frame->ss = regs->segment[GDBSTUB_SS];
	load_fpu(self, regs->fxsave);
	return true;
}

void gdbstub_port_set_debug_registers(void *target, const struct gdbstub_debug_registers *regs)
{
	(void)target;
	write_dr7(DR7_OFF);
	if (!regs->dr7)
		return;
	write_dr0(regs->address[0]);
	write_dr1(regs->address[1]);
	write_dr2(regs->address[2]);
	write_dr3(regs->address[3]);
	write_dr6(DR6_CLEAR);
	write_dr7(regs->dr7);
}

/* ---- threads ---- */

static void describe(const struct stub_target *target, const struct thread_info *info,
		     struct gdbstub_thread *thread)
{
	const char *state = thread_state_name(info->state);

	*thread = (struct gdbstub_thread){.id = info->id,
					  .cpu = (int32_t)info->cpu,
					  .running = info->id == target->thread_id};
	ksnprintf(thread->name, sizeof(thread->name), "%s", info->name);
	if (info->state == THREAD_WAITING && info->waiting_for)
		ksnprintf(thread->state, sizeof(thread->state), "%s: %s", state, info->waiting_for);
	else
		ksnprintf(thread->state, sizeof(thread->state), "%s", state);
}

bool gdbstub_port_next_thread(void *target, uint64_t after_id, struct gdbstub_thread *thread)
{
	const struct stub_target *self = target;
	uint32_t cursor = after_id > UINT32_MAX ? UINT32_MAX : (uint32_t)after_id;
	struct thread_info info;

	if (thread_current()) {
		if (!thread_visit(&cursor, &info))
			return false;
		describe(self, &info, thread);
		return true;
	}
	if (after_id >= self->thread_id)
		return false;
	*thread = (struct gdbstub_thread){.id = self->thread_id, .running = true};
	ksnprintf(thread->name, sizeof(thread->name), "boot");
	return true;
}
