/* SPDX-License-Identifier: BSD-3-Clause
 * Tells from the ages of waits how much of the time they last until their time-out. */
#include "expiry.h"

#include <math.h>

/* What is likelier than this is decided. */
#define DECIDED 0.9

/* A look that finds an age which a hypothesis rules out would refute it for good; so some of the time is in waits
 * that time out under each, which is as good as none. */
#define STRAY 0.01

/* What is beyond the time-out by less is a timer that fires late: 50 us by default (prctl(2),
 * PR_SET_TIMERSLACK), a thousandth of it in select() and poll(), and the way to a CPU. */
#define LATE    1.1
#define LATE_NS 200000.0

/* More looks than these count as these: by then it is the model that is in doubt. */
#define WAITS_MOST 200.0

enum {
    REGULAR_MOST = 18, /* twentieths of the time-out; beyond, replies are not told from it */
    SHARES = 10,
    RATES = 8, /* 0.5 in a time-out, and each twice the one before: to 64 */
};

bool xb_expiry_add(struct xb_expiry *expiry, uint64_t age_ns, uint64_t timeout_ns, bool again)
{
    double age = (double)age_ns, timeout = (double)timeout_ns;
    if (timeout_ns < XB_EXPIRY_LEAST_NS || age > LATE * timeout + LATE_NS)
        return false;
    int bin = (int)(age / timeout * XB_EXPIRY_BINS);
    expiry->age[bin < XB_EXPIRY_BINS ? bin : XB_EXPIRY_BINS - 1]++;
    expiry->waits += !again;
    return true;
}

void xb_expiry_forget(struct xb_expiry *expiry, double share)
{
    for (int i = 0; i < XB_EXPIRY_BINS; i++)
        expiry->age[i] *= share;
    expiry->waits *= share;
}

/* What speaks for hypotheses so far: their weights, times the share that they imply, and those of the ones in
 * which it is half or more. */
struct sums {
    double all, share, timer;
};

/* A hypothesis by its density at each bin, against uniform ages. `count`: of looks, each. */
static void weigh(const double count[static XB_EXPIRY_BINS],
                  const double density[static XB_EXPIRY_BINS], double share, double prior,
                  struct sums *sums)
{
    double log_ratio = 0;
    for (int i = 0; i < XB_EXPIRY_BINS; i++)
        log_ratio += count[i] * log(density[i]);
    double weight = prior * exp(log_ratio);
    sums->all += weight;
    sums->share += weight * share;
    sums->timer += share >= 0.5 ? weight : 0;
}

/* Of the time, `share` is in waits that time out; all others end at `end` twentieths. */
static void weigh_regular(const double count[static XB_EXPIRY_BINS], int end, double share,
                          double prior, struct sums *sums)
{
    double density[XB_EXPIRY_BINS];
    for (int i = 0; i < XB_EXPIRY_BINS; i++)
        density[i] = share + (i < end ? (1 - share) * XB_EXPIRY_BINS / end : 0);
    weigh(count, density, share, prior, sums);
}

/* What ends them comes `rate` times in a time-out: S(u) = exp(-rate u). */
static void weigh_random(const double count[static XB_EXPIRY_BINS], double rate, double prior,
                         struct sums *sums)
{
    double density[XB_EXPIRY_BINS], whole = 1 - exp(-rate);
    for (int i = 0; i < XB_EXPIRY_BINS; i++) {
        double from = (double)i / XB_EXPIRY_BINS, to = (double)(i + 1) / XB_EXPIRY_BINS;
        double part = (exp(-rate * from) - exp(-rate * to)) / whole;
        density[i] = STRAY + (1 - STRAY) * part * XB_EXPIRY_BINS;
    }
    weigh(count, density, rate * exp(-rate) / whole, prior, sums);
}

struct xb_expired xb_expiry_judge(const struct xb_expiry *expiry)
{
    struct xb_expired expired = { XB_EXPIRY_UNKNOWN, NAN, NAN };
    double count[XB_EXPIRY_BINS], looks = 0;
    for (int i = 0; i < XB_EXPIRY_BINS; i++)
        looks += expiry->age[i];
    if (expiry->waits < XB_EXPIRY_LEAST)
        return expired;
    double each = fmin(expiry->waits, WAITS_MOST) / looks;
    for (int i = 0; i < XB_EXPIRY_BINS; i++)
        count[i] = expiry->age[i] * each;

    struct sums sums = { 1, 1, 1 }; /* all time out: uniform ages */
    for (int end = 1; end <= REGULAR_MOST; end++)
        for (int i = 0; i < SHARES; i++)
            weigh_regular(count, end, fmax(STRAY, (double)i / SHARES),
                          1.0 / (REGULAR_MOST * SHARES), &sums);
    double rate = 0.5;
    for (int i = 0; i < RATES; i++, rate *= 2)
        weigh_random(count, rate, 1.0 / RATES, &sums);
    expired.share = sums.share / sums.all;
    expired.sure = sums.timer / sums.all;
    expired.verdict = expired.sure >= DECIDED       ? XB_EXPIRY_TIMER
                      : expired.sure <= 1 - DECIDED ? XB_EXPIRY_FILES
                                                    : XB_EXPIRY_UNDECIDED;
    return expired;
}
