/*
 * What the files of kernel/boot say to each other.
 */
#ifndef KERNEL_BOOT_INTERNAL_H
#define KERNEL_BOOT_INTERNAL_H

#include <kernel/boot.h>

/* Notes what was wrong; the text must live. At most as many as there is room for. */
void boot_fault(struct boot_info *info, const char *text);

/* Turns control characters into blanks: such text goes to the log. */
void boot_clean_text(char *text);

/* Adds what QEMU's fw_cfg carries to the command line; nothing where there is none. */
void fw_cfg_append(struct boot_info *info);

#endif
