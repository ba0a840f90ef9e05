// pt_rig_host.h: what pt_rig.c and pt_shadow.c need of the host's port.
#pragma once

#include <mm/port.h>

#include "pt_rig.h"

// Starts mm; zeroed table pages outside its reach, for the boot tables.
uint64_t (*rig_host_start(const struct rig_options *options))[512];
uint64_t rig_host_phys(const void *pointer);
uint64_t *rig_host_virt(uint64_t pa);
bool rig_host_is_table(const void *address);
bool rig_host_no_1g(void);
bool rig_host_no_nx(void);
// mm_check(), and a failure for each fault.
void rig_host_check(void);
// The n-th table allocation from now on and all that follow fail; 0: none.
void rig_host_fail_table(uint64_t n);
// pt_rig.c: receives every flush.
void rig_tlb_requests(const struct mm_tlb_request *requests, size_t count);
// pt_shadow.c: a new machine starts.
void rig_shadow_forget(void);
