/* SPDX-License-Identifier: BSD-3-Clause
 * Holds one open connection per worker, of which one in 256 speaks while the others are idle.
 *
 * Each worker says something once, in the first sample, and with that its connection is known to
 * the engine: an epoll set holds all of them from then on. Afterwards only worker 0, 256, 512, ...
 * exchange messages, and what they wait for is what the latency columns show. The idle ones speak
 * once more in verify(), which proves that their connections were open all the time.
 *
 * Of the columns, items_per_s and lat_* are to be read; ns_per_item counts the time of idle workers
 * too. A speaker sends when its last echo is there (closed loop): how late a request on a schedule
 * would be is not shown. Each end of 20,000 connections takes 20,000 files of a process. */
#include "../echo.h"

enum {
    WORKERS_PER_SPEAKER = 256,
    /* Round trips that an iteration of a speaker takes. All idle workers have their turn at the
     * edges of a sample, and the first message of each speaker waits for that. Of so many it is
     * one that does not reach p99. */
    TRIPS = 256,
    FILES_OF_A_LANE = 64,
};

struct state {
    void *echo; /* a struct xb_echo */
    bool speaks;
    uint32_t samples; /* begun */
};

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    /* Here as in the server: where workers are processes each opens only its own, so it is not
     * known yet whether this is enough; if not, connecting says so. */
    xb_peer_raise_files(params->workers + FILES_OF_A_LANE);
    return xb_echo_open(params, AF_INET, team);
}

static void begin(void *state)
{
    struct state *s = state;
    s->samples++;
    xb_echo_begin(s->echo);
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->speaks = params->index % WORKERS_PER_SPEAKER == 0;
    return xb_echo_setup(params, team, &s->echo);
}

/* An idle worker's iterations are nothing, but for the first one of its first sample. */
static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    if (s->speaks)
        return xb_echo_run(run, s->echo, iters * TRIPS, did);
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

const struct xb_kernel xb_kernel_io_idle_connections = {
    .name = "io/idle_connections",
    .summary = "an open TCP connection per worker, of which one in 256 exchanges messages",
    .source = "Kegel, The C10K problem, 1999; netperf TCP_RR",
    .item = "round trip",
    .bound = XB_CLASS_IO,
    .fit = XB_FIT_OWN,
    .own_bytes = 64,
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
