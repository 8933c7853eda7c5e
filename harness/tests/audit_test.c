/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the verdicts on counters, on counts as they were or might be read. */
#include "xbtest.h"

#include "../core/audit.h"

#include <string.h>

static void expect_exact(double due, double once, double twice, double spread, enum xb_trust trust,
                         const char *text)
{
    struct xb_audited out = { .trust = XB_TRUST_ABSENT };
    xb_audit_judge_exact(due, once, twice, spread, &out);
    XB_EXPECT_STREQ(xb_trust_name(out.trust), xb_trust_name(trust));
    XB_EXPECT_STREQ(out.why.text, text);
}

/* An emulated PMU read 175 instructions more than the loop has, in each window. */
XB_TEST(Audit, WhatStartingTakesIsNotInTheDifference)
{
    expect_exact(1000000, 1000175, 2000175, 0, XB_TRUST_OK, "exact: 1000000 counted, 1000000 due");
}

XB_TEST(Audit, ACountThatInterruptsHaveRaisedIsNotCalledExact)
{
    expect_exact(1000000, 1000175, 2000388, 213, XB_TRUST_OK,
                 "not exact: 1000213 counted, 1000000 due");
    expect_exact(1000000, 1000388, 2000175, 213, XB_TRUST_OK,
                 "not exact: 999787 counted, 1000000 due");
    expect_exact(1000000, 1000175, 2000175, 213, XB_TRUST_OK,
                 "exact: 1000000 counted, 1000000 due; up to 213 more when interrupted");
}

XB_TEST(Audit, ACountBelowTheTruthIsNotHidden)
{
    /* Two wrongs: the difference alone looks exact. */
    expect_exact(1000000, 900000, 1900000, 0, XB_TRUST_LIES,
                 "reads 1900000 where at least 2000000 were due");
    expect_exact(1000000, 999998, 1999998, 0, XB_TRUST_OK,
                 "reads 1999998 where at least 2000000 were due");
    expect_exact(1000000, 500000, 2000000, 0, XB_TRUST_LIES,
                 "reads 500000 where at least 1000000 were due");
}

XB_TEST(Audit, ACountThatIsOffByMoreThanAThousandthLies)
{
    expect_exact(1000000, 1000000, 2001500, 0, XB_TRUST_LIES, "1001500 counted, 1000000 due");
    expect_exact(1000000, 2000000, 4000000, 0, XB_TRUST_LIES, "2000000 counted, 1000000 due");
}

static void expect_named(const char *name, double once, double twice, enum xb_trust trust,
                         const char *part)
{
    struct xb_audited out = { .trust = XB_TRUST_ABSENT };
    xb_audit_judge_named(name, 5000, once, twice, &out);
    if (out.trust != trust || !strstr(out.why.text, part))
        XB_FAIL("%s: %s: %s", name, xb_trust_name(out.trust), out.why.text);
}

XB_TEST(Audit, APresetThatReads0LiesOnlyWhereSomeAreDue)
{
    expect_named("PAPI_LD_INS", 0, 0, XB_TRUST_LIES, "reads 0 where at least 5000 were due");
    expect_named("PAPI_L1_DCM", 0, 0, XB_TRUST_LIES, "reads 0 where at least 250 were due");
    expect_named("PAPI_TOT_INS", 4000, 8000, XB_TRUST_LIES, "reads 4000 where at least 25000");
    /* Snoops, prefetches that miss, single precision: a CPU may truly have none. */
    expect_named("PAPI_CA_SNP", 0, 0, XB_TRUST_UNPROVEN, "reads 0, which may be true");
    expect_named("PAPI_PRF_DM", 0, 0, XB_TRUST_UNPROVEN, "reads 0, which may be true");
    expect_named("PAPI_SP_OPS", 0, 0, XB_TRUST_UNPROVEN, "reads 0, which may be true");
    expect_named("PAPI_CA_SNP", 1, 0, XB_TRUST_OK, "moves with the work");
    expect_named("skx::LD_INS", 0, 0, XB_TRUST_UNPROVEN, "reads 0, which may be true");
}

XB_TEST(Audit, APresetThatStandsStillLiesOnlyWhereSomeAreDue)
{
    expect_named("PAPI_LD_INS", 7000, 7000, XB_TRUST_LIES, "7000, however long the work");
    expect_named("PAPI_CA_SNP", 7, 7, XB_TRUST_UNPROVEN, "7, however long the work");
    expect_named("PAPI_LD_INS", 15000, 30000, XB_TRUST_OK,
                 "moves with the work: 15000, and 30000 over twice as much");
}
