/* Runs the program with a PMU of software events, see preload/pmu.c: Skylake's events, as libpfm4 knows them. */
#ifndef XB_TESTS_FAKE_PMU_H
#define XB_TESTS_FAKE_PMU_H

#include <stdbool.h>

/* Whether it can be loaded into the program; if not, the test is skipped with the reason. */
bool xb_fake_pmu_loads(void);

/* For xb_spawn.prepare: the environment of a program with it. `settings`: NAME, VALUE, ..., NULL; or NULL. */
void xb_fake_pmu_set(const char *const *settings);

#endif
