/*
 * What a fuzz target gives to its smoke test beside LLVMFuzzerTestOneInput().
 */
#ifndef KERNEL_TEST_FUZZ_SEED_H
#define KERNEL_TEST_FUZZ_SEED_H

#include <stddef.h>
#include <stdint.h>

/* Writes good input number n, from 0, into buf; its length, 0 when there is none. */
size_t fuzz_seed(unsigned n, uint8_t *buf, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
