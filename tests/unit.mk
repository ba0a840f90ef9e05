# Tests that need more than one unit, and what they need built.
TAP_TESTS += tests/boot/boot.bats tests/e2e/run.bats

tests.NEEDS := $(KERNEL_ISO)

# ---- measuring ------------------------------------------------------------------------------------
PROGS += inspect-client
inspect-client.kind := tool
inspect-client.srcs := tests/bench/inspect_client.c
