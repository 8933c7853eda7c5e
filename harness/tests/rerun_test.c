/* SPDX-License-Identifier: BSD-3-Clause
 * Tests running a command again, and the probes that do so. What they find is measured, not tested: only
 * that they find something, say it, refuse with a reason, and leave nothing behind. */
#include "spawn.h"
#include "xbtest.h"

#include "../base/callgrind.h"
#include "../base/clock.h"
#include "../base/rerun.h"
#include "../core/registry.h"
#include "../probes/probe.h"
#include "../stats/ratio.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- arithmetic ---- */

XB_TEST(PairedRatio, IsTheMedianOfPairsAndOfFewTheirRange)
{
    const double base[] = { 1, 2, 4 }, figure[] = { 2, 2, 12 }, zero[] = { 1, 0, 1 };
    struct xb_interval ratio = xb_paired_ratio(base, figure, 3);
    XB_EXPECT_NEAR(ratio.median, 2, 1e-12);
    XB_EXPECT_NEAR(ratio.lo, 1, 1e-12);
    XB_EXPECT_NEAR(ratio.hi, 3, 1e-12);
    XB_EXPECT(isnan(xb_paired_ratio(zero, figure, 3).median));
    XB_EXPECT(isnan(xb_paired_ratio(base, figure, 0).median));
}

XB_TEST(Callgrind, CachesAreRoundedDownToWhatItCanSimulate)
{
    char option[XB_CALLGRIND_OPTION];
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_callgrind_fit(XB_CALLGRIND_D1, 49152), 49152);
    XB_EXPECT_EQ(xb_callgrind_fit(XB_CALLGRIND_D1, 37805.7), 9 * 64 * 64);
    XB_EXPECT_EQ(xb_callgrind_fit(XB_CALLGRIND_LL, 21619945.6), 20 * 16384 * 64);
    XB_EXPECT_EQ(xb_callgrind_fit(XB_CALLGRIND_LL, NAN), 16 * 64);
    XB_EXPECT_EQ(xb_callgrind_option(XB_CALLGRIND_D1, 9 * 64 * 64, option, &why), 0);
    XB_EXPECT_STREQ(option, "--D1=36864,9,64");
    XB_EXPECT_EQ(xb_callgrind_option(XB_CALLGRIND_LL, 20 * 16384 * 64, option, &why), 0);
    XB_EXPECT_STREQ(option, "--LL=20971520,20,64");
    XB_EXPECT_EQ(xb_callgrind_option(XB_CALLGRIND_D1, 1000, option, &why), -EINVAL);
}

XB_TEST(Callgrind, TotalsAreAddedUpWhereZerosAtTheEndAreLeftOut)
{
    char text[] = "version: 1\nevents: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw\nfn=(1) main\n"
                  "summary: 9\ntotals: 100 9 9 9 20 3 1 2 4\n\nevents: Ir Dr\ntotals: 50\n",
         cut[] = "version: 1\nevents: Ir Dr\n1 2 3\n";
    struct xb_callgrind_sums sums = { 0 };
    FILE *in = fmemopen(text, strlen(text), "r");
    XB_EXPECT_EQ(xb_callgrind_read(in, &sums), 0);
    fclose(in);
    XB_EXPECT_EQ(sums.instructions, 150);
    XB_EXPECT_EQ(sums.d1_misses, 23);
    XB_EXPECT_EQ(sums.ll_misses, 7);
    in = fmemopen(cut, strlen(cut), "r");
    XB_EXPECT_EQ(xb_callgrind_read(in, &sums), -ENODATA);
    fclose(in);
}

/* ---- one run ---- */

#define SECOND_NS UINT64_C(1000000000)

static int rerun(const char *script, uint64_t limit_ns, struct xb_rerun_use *use,
                 struct xb_reason *why)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    struct xb_rerun ask = { .argv = argv, .limit_ns = limit_ns, .cpu = -1 };
    *why = (struct xb_reason){ 0 };
    return xb_rerun(&ask, use, why);
}

XB_TEST(Rerun, SaysHowACommandFails)
{
    const char *const absent[] = { "no-such-command-xyz", NULL };
    struct xb_rerun ask = { .argv = absent, .limit_ns = SECOND_NS, .cpu = -1 };
    struct xb_rerun_use use;
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(rerun("test -z \"$(cat)\"; echo lost", 20 * SECOND_NS, &use, &why), 0);
    XB_EXPECT_EQ(rerun("exit 3", 20 * SECOND_NS, &use, &why), -ECHILD);
    XB_EXPECT_HAS(why.text, "exited with 3");
    XB_EXPECT_EQ(rerun("kill -SEGV $$", 20 * SECOND_NS, &use, &why), -ECHILD);
    XB_EXPECT_HAS(why.text, "killed by signal 11");
    XB_EXPECT_EQ(rerun("trap '' TERM; sleep 60", 50000000, &use, &why), -ETIMEDOUT);
    XB_EXPECT_HAS(why.text, "did not end in 0.05 s");
    XB_EXPECT_EQ(xb_rerun(&ask, &use, &why), -ENOENT);
    XB_EXPECT_HAS(why.text, "no-such-command-xyz cannot be run again");
    XB_EXPECT_EQ(xb_rerun_check(NULL, &why), -ENOTSUP);
    XB_EXPECT_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

XB_TEST(Rerun, LeavesNothingBehindNotEvenInASessionOfItsOwn)
{
    char script[9000], path[4096];
    struct xb_rerun_use use;
    struct xb_reason why;
    snprintf(path, sizeof path, "%s/pid", xb_test_folder());
    snprintf(script, sizeof script,
             "(setsid sh -c 'echo $$ >%s; exec sleep 60' &) ; while ! test -s %s; do :; done", path,
             path);
    XB_EXPECT_EQ(rerun(script, 20 * SECOND_NS, &use, &why), 0);
    XB_EXPECT(use.user_s + use.kernel_s > 0);
    FILE *in = fopen(path, "re");
    int pid = 0;
    XB_EXPECT(in && fscanf(in, "%d", &pid) == 1 && pid > 1);
    if (in)
        fclose(in);
    XB_EXPECT(pid > 1 && kill(pid, 0) != 0 && errno == ESRCH);
}

static void wait_for_death(const void *context)
{
    (void)context;
    for (;;)
        pause();
}

static int refuse(const void *context)
{
    (void)context;
    return -EPERM;
}

XB_TEST(Rerun, AHelperLivesAsLongAsTheCommandAndACutIsNoError)
{
    const char *const argv[] = { "sleep", "60", NULL };
    struct xb_rerun_use use;
    struct xb_reason why = { 0 };
    struct xb_rerun ask = { .argv = argv,
                            .limit_ns = 50000000,
                            .end_signal = SIGVTALRM,
                            .cpu = -1,
                            .beside = wait_for_death };
    XB_EXPECT_EQ(xb_rerun(&ask, &use, &why), 0);
    XB_EXPECT(use.cut);
    XB_EXPECT_EQ(use.code, 128 + SIGVTALRM);
    XB_EXPECT_EQ(waitpid(-1, NULL, WNOHANG), -1);
    ask.beside = NULL;
    ask.prepare = refuse;
    XB_EXPECT_EQ(xb_rerun(&ask, &use, &why), -EPERM);
    XB_EXPECT_HAS(why.text, "cannot be prepared");
}

XB_TEST(Rerun, APendingSignalEndsItAtOnce)
{
    struct xb_rerun_use use;
    struct xb_reason why;
    struct timespec at_once = { .tv_sec = 0 };
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, &before);
    /* From below, while it runs; and then it is still pending. */
    XB_EXPECT_EQ(rerun("kill -INT $(ps -o ppid= -p $PPID 2>/dev/null || cut -d' ' -f4 "
                       "/proc/$PPID/stat); sleep 60",
                       50 * SECOND_NS, &use, &why),
                 -EINTR);
    XB_EXPECT_EQ(rerun("true", 50 * SECOND_NS, &use, &why), -EINTR);
    XB_EXPECT_EQ(sigtimedwait(&set, NULL, &at_once), SIGINT);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* ---- the probes ---- */

static int lose_valgrind(void)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s-profile", xb_test_program());
    return setenv("XDG_CACHE_HOME", folder, 1) || setenv("PATH", "/nowhere:", 1) ? errno : 0;
}

static int keep_profile(void)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s-profile", xb_test_program());
    return setenv("XDG_CACHE_HOME", folder, 1) ? errno : 0;
}

/* Has a probe run a script that loops in user mode, `rounds` times. */
static void expect_clue(const char *probe, int rounds, const char *clue)
{
    char args[256];
    FILE *file = xb_create("loop");
    if (!file)
        return;
    fprintf(file, "i=0\nwhile [ $i -lt %d ]; do i=$((i+1)); done\n", rounds);
    fclose(file);
    snprintf(args, sizeof args, "classify --json -o report --probes %s sh ./loop", probe);
    struct xb_ended *ended = xb_spawn(&(struct xb_spawn){ .args = args, .prepare = keep_profile });
    if (ended->code || ended->left || ended->errors != 1 || !strstr(ended->err, probe))
        XB_FAIL("'xbound %s' ends with %d and\n%s", args, ended->code, ended->err);
    free(ended);
    snprintf(args, sizeof args, "grep -q '\"%s\"' report || { cat report; false; }", clue);
    XB_EXPECT_EQ(xb_shell(args), 0);
}

XB_TEST(Pollute, TellsTheRatioOfAProgramThatItRunsAgain)
{
    expect_clue("pollute", 40000, "swept_ratio");
}

XB_TEST(Thp, TellsTheRatioOrThatThereAreNoHugePages)
{
    struct xb_reason why = { 0 };
    if (xb_find_probe(&xb_builtin, "thp")->probe(&why) != 0) {
        XB_EXPECT_HAS(why.text, "huge pages");
        XB_SKIP("%s", why.text);
        return;
    }
    expect_clue("thp", 40000, "without_huge_ratio");
}

XB_TEST(Simulate, TellsMissesOrThatValgrindIsNotThere)
{
    struct xb_reason why = { 0 };
    struct xb_ended *ended = xb_spawn(&(struct xb_spawn){
        .args = "classify --probes simulate /bin/true", .prepare = lose_valgrind });
    XB_EXPECT_HAS(ended->err, "install it (Debian: valgrind)");
    free(ended);
    if (xb_find_probe(&xb_builtin, "simulate")->probe(&why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    expect_clue("simulate", 10, "d1_misses_per_1000");
}

XB_TEST(Probes, ThoseThatRunTheCommandAgainWantOneAndAreAskedForByName)
{
    static const char *const names[] = { "pollute", "thp", "simulate" };
    struct xb_ended *help = xb_spawn(&(struct xb_spawn){ .args = "classify --help" });
    struct xb_scene scene = { .root = getpid() };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct xb_probe *probe = xb_find_probe(&xb_builtin, names[i]);
        struct xb_reason why = { 0 };
        void *opened = NULL;
        XB_EXPECT(probe && probe->on_request);
        if (!probe)
            continue;
        XB_EXPECT_EQ(probe->open(&scene, &opened, &why), -ENOTSUP);
        XB_EXPECT_HAS(why.text, "give the command");
        XB_EXPECT_HAS(help->out, probe->summary);
    }
    XB_EXPECT_HAS(help->out, "(only with --probes)");
    free(help);
}
