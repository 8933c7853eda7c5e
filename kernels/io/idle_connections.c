/* SPDX-License-Identifier: BSD-3-Clause
 * Holds one open connection per worker, of which one in 256 speaks while the others are idle.
 *
 * Each worker says something once, in the first sample, and with that its connection is known to
 * the engine: an epoll set holds all of them from then on. Afterwards only worker 0, 256, 512, ...
 * exchange messages, and what they wait for is what the latency columns show. The idle ones speak
 * once more in verify(), which proves that their connections were open all the time.
 *
 * The load is open: each speaker has a request due every 5 ms, whether its last echo is there or
 * not, and a request's latency counts from when it was due. Were the next one sent when the last echo
 * is there, a loop that stands still would be asked nothing meanwhile, and a stall of 100 ms would be
 * one bad latency instead of twenty for each speaker (coordinated omission: Tene, "How NOT to measure
 * latency", 2013; wrk2). So lat_* are to be read: items_per_s is what was asked for, unless the
 * loop falls behind, and ns_per_item counts the time of idle workers too. In a latency is also how late
 * a timer fires, which for an idle thread is 50 us by default (prctl(2), PR_SET_TIMERSLACK).
 *
 * Each end of 20,000 connections takes 20,000 files of a process, and the client's some more. Where that
 * many may not be had (ulimit -Hn, without CAP_SYS_RESOURCE) the row is skipped. */
#include "../echo.h"
#include "../sync.h"

#define PERIOD_NS UINT64_C(5000000)

enum {
    WORKERS_PER_SPEAKER = 256,
    TRIPS = 8, /* of an iteration: shorter samples would be all edge */
    FILES_OF_A_LANE = 64,
};

struct state {
    void *echo; /* a struct xb_echo */
    bool speaks;
    bool on_time;     /* has begun to speak in this sample */
    uint64_t wait_ns; /* before it begins */
    uint32_t samples; /* begun */
};

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    /* Here as in the server, which is a process of its own. Where workers are processes each opens
     * only its own, so it is not known yet whether this is enough; if not, connecting says so. */
    xb_peer_raise_files(params->workers + FILES_OF_A_LANE);
    return xb_echo_open(params, AF_INET, team);
}

static void begin(void *state)
{
    struct state *s = state;
    s->samples++;
    s->on_time = false;
    xb_echo_begin(s->echo);
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->speaks = params->index % WORKERS_PER_SPEAKER == 0;
    /* Spread over the period, or all would speak at once and wait for each other. */
    uint64_t speakers = (params->workers - 1) / WORKERS_PER_SPEAKER + 1;
    s->wait_ns = PERIOD_NS * (params->index / WORKERS_PER_SPEAKER) / speakers;
    return xb_echo_setup(params, team, &s->echo);
}

/* Lets the idle workers have their turn, which at the edge of a sample all have at once: 20,000 of them
 * take some periods, and the first requests would be late for no other reason. */
static int settle_down(struct xb_io *io, struct state *s)
{
    struct xb_io_op yield = { .kind = XB_IO_YIELD };
    struct xb_io_op sleep = { .kind = XB_IO_SLEEP, .sleep_ns = s->wait_ns };
    s->on_time = true;
    int64_t err = xb_await(io, &yield);
    return (int)(err < 0 ? err : xb_await(io, &sleep));
}

static int speak(struct xb_run *run, struct state *s, uint64_t iters, struct xb_work *did)
{
    struct xb_echo *echo = s->echo;
    struct xb_io_op tick = { .marks = XB_IO_BEGINS, .sleep_ns = PERIOD_NS };
    struct xb_io_op op = { .fd = echo->fd, .offset = XB_IO_STREAM };
    int err = s->on_time ? 0 : settle_down(run->io, s);
    for (uint64_t k = 0; k < iters * TRIPS && !err; k++) {
        int64_t late_ns = xb_await_on(run->io, &tick, XB_IO_TICK, NULL);
        if (late_ns < 0)
            return xb_explain(run->params, (int)late_ns, "waiting for a request to be due: %s",
                              strerror((int)-late_ns));
        err = xb_echo_say(run, echo, &op, 0, did);
    }
    return err;
}

/* An idle worker's iterations are nothing, but for the first one of its first sample. */
static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    if (s->speaks)
        return speak(run, s, iters, did);
    const struct xb_echo *echo = s->echo;
    bool greeted = s->samples != 1 || echo->stamp != 0;
    return greeted ? 0 : xb_echo_run(run, s->echo, 1, did);
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    struct state *s = state;
    if (s->speaks)
        return xb_echo_verify(params, team, s->echo, iters * TRIPS, did);
    int err = xb_echo_check(s->echo);
    if (err)
        return xb_explain(params, err, "an idle connection was not open at the end: %s",
                          strerror(-err));
    return xb_echo_verify(params, team, s->echo, s->samples == 1, did);
}

static void teardown(void *state)
{
    struct state *s = state;
    if (s)
        xb_echo_teardown(s->echo);
    free(s);
}

static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

/* The load is open, so the clock sets the pace: of the 5 ms between two requests the echo takes some 50 us,
 * and the rest a speaker waits for the timer. Who is idle waits for the speakers to be done. Both is sync. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    (void)crowd;
    return XB_CLASS_SYNC;
}

const struct xb_kernel xb_kernel_io_idle_connections = {
    .name = "io/idle_connections",
    .summary = "an open TCP connection per worker; one in 256 sends a message every 5 ms",
    .source = "Kegel, The C10K problem, 1999; wrk2 (github.com/giltene/wrk2)",
    .item = "round trip",
    .latency_of = "round trip from when it was due",
    .bound = XB_CLASS_IO,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = 64,
    .needs = XB_NEED_TEAM,
    .claims = claims,
    .n_claims = sizeof claims / sizeof claims[0],
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
    .team_teardown = xb_echo_team_teardown,
};
