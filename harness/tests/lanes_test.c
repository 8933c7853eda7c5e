/* SPDX-License-Identifier: BSD-3-Clause
 * Tests a model that shares lanes, with a team made by hand: who meets whom, on which thread, and
 * that one lane wakes another. */
#include "xbtest.h"

#include "../core/registry.h"
#include "../models/model.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WORKERS_MOST = 67, LANES_MOST = 8, ROUNDS = 50 };

struct note {
    pthread_t thread;
    uint32_t arrived, released, entered, left;
};

struct crew {
    struct xb_team team; /* first: the model's view */
    struct xb_worker workers[WORKERS_MOST];
    struct xb_lane lanes[LANES_MOST];
    struct note notes[LANES_MOST];
    uint32_t seen[WORKERS_MOST]; /* rounds that the worker has been through */
    _Atomic uint32_t all_seen, wrong, failures;
    uint32_t refuse; /* lane that cannot be entered; LANES_MOST: none */
    uint64_t token;
};

static struct crew *crew_of(const struct xb_lane *lane)
{
    return (struct crew *)lane->team;
}

static void expect(struct crew *crew, bool condition)
{
    if (!condition)
        atomic_fetch_add(&crew->wrong, 1);
}

static int enter(struct xb_lane *lane, struct xb_parker *parker)
{
    struct crew *crew = crew_of(lane);
    struct note *note = &crew->notes[lane->index];
    note->thread = pthread_self();
    if (lane->index == crew->refuse)
        return crew->team.fail(&crew->team, -EACCES, "not this one");
    note->entered++;
    return crew->team.engine->open(parker, WORKERS_MOST, &lane->io, NULL);
}

static void leave(struct xb_lane *lane)
{
    struct crew *crew = crew_of(lane);
    expect(crew, pthread_equal(crew->notes[lane->index].thread, pthread_self()));
    crew->notes[lane->index].left++;
    crew->team.engine->close(lane->io);
}

static int fail(struct xb_team *team, int code, const char *format, ...)
{
    (void)format;
    atomic_fetch_add(&((struct crew *)team)->failures, 1);
    return code;
}

static bool failed(const struct xb_team *team)
{
    return atomic_load(&((const struct crew *)team)->failures) > 0;
}

static void arrived(struct xb_lane *lane)
{
    struct crew *crew = crew_of(lane);
    struct note *note = &crew->notes[lane->index];
    expect(crew, pthread_equal(note->thread, pthread_self()));
    note->arrived++;
    /* All of this lane have arrived. */
    for (uint32_t i = 0; i < crew->team.n_workers; i++)
        if (crew->workers[i].lane == lane)
            expect(crew, crew->seen[i] == note->arrived);
}

static void released(struct xb_lane *lane)
{
    struct crew *crew = crew_of(lane);
    struct note *note = &crew->notes[lane->index];
    expect(crew, pthread_equal(note->thread, pthread_self()));
    expect(crew, ++note->released == note->arrived);
    /* All of all lanes have, and none of this one has gone on. */
    expect(crew, atomic_load(&crew->all_seen) >= note->released * crew->team.n_workers);
    for (uint32_t i = 0; i < crew->team.n_workers; i++)
        if (crew->workers[i].lane == lane)
            expect(crew, crew->seen[i] == note->released);
}

static void yield(struct xb_worker *worker)
{
    struct xb_io_op op = { .kind = XB_IO_YIELD };
    xb_await(worker->lane->io, &op);
}

static void meet_often(struct xb_worker *worker)
{
    struct crew *crew = crew_of(worker->lane);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        for (uint32_t i = (worker->index + round) % 3; i; i--)
            yield(worker);
        crew->seen[worker->index] = round;
        atomic_fetch_add(&crew->all_seen, 1);
        crew->team.model->rendezvous(worker, arrived, released);
        expect(crew, atomic_load(&crew->all_seen) >= round * crew->team.n_workers);
        crew->team.model->rendezvous(worker, NULL, NULL);
    }
}

/* The token is not atomic: to be woken means to see all that was written before. */
static void pass_token(struct xb_worker *worker)
{
    struct crew *crew = crew_of(worker->lane);
    uint32_t n = crew->team.n_workers;
    struct xb_worker *next = &crew->workers[(worker->index + 1) % n];
    for (uint64_t round = 0; round < ROUNDS; round++) {
        if (worker->index || round)
            crew->team.model->suspend(worker);
        expect(crew, crew->token++ == round * n + worker->index);
        crew->team.model->resume(next);
    }
    if (worker->index == 0) /* the last one's */
        crew->team.model->suspend(worker);
}

/* All at once to all others, and then to oneself: what comes first is remembered, and more than one
 * is one. */
static void wake_everybody(struct xb_worker *worker)
{
    struct crew *crew = crew_of(worker->lane);
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < crew->team.n_workers; i++)
            crew->team.model->resume(&crew->workers[i]);
        crew->team.model->suspend(worker);
        crew->seen[worker->index]++;
    }
}

static struct crew *run(const char *engine, uint32_t workers, uint32_t lanes, uint32_t refuse,
                        void (*body)(struct xb_worker *worker), int *err)
{
    struct crew *crew = aligned_alloc(128, (sizeof *crew + 127) / 128 * 128);
    memset(crew, 0, sizeof *crew);
    crew->refuse = refuse;
    crew->team = (struct xb_team){
        .model = xb_find_model(&xb_builtin, "loop"),
        .engine = xb_find_engine(&xb_builtin, engine),
        .workers = crew->workers,
        .lanes = crew->lanes,
        .n_workers = workers,
        .n_lanes = lanes,
        .enter = enter,
        .leave = leave,
        .body = body,
        .fail = fail,
        .failed = failed,
    };
    for (uint32_t i = 0; i < workers; i++)
        crew->workers[i] = (struct xb_worker){ .team = &crew->team, .index = i };
    for (uint32_t i = 0; i < lanes; i++)
        crew->lanes[i] = (struct xb_lane){ .team = &crew->team, .index = i };
    void *state = calloc(1, crew->team.model->state_bytes);
    *err = crew->team.model->run_team(&crew->team, state);
    free(state);
    return crew;
}

static const struct {
    uint32_t workers, lanes;
} sizes[] = { { 1, 1 }, { 5, 1 }, { 2, 2 }, { 5, 2 }, { 64, 2 }, { 7, 3 }, { 8, 8 }, { 67, 5 } };

/* `body` under each engine that can park, in all sizes. */
static void run_all(void (*body)(struct xb_worker *worker), void (*check)(const struct crew *crew))
{
    for (size_t e = 0; e < xb_builtin.n_engines; e++) {
        const struct xb_io_engine *engine = xb_builtin.engines[e];
        if (!engine->parks || engine->probe(NULL) != 0)
            continue;
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            int err;
            struct crew *crew =
                run(engine->name, sizes[i].workers, sizes[i].lanes, LANES_MOST, body, &err);
            if (err || crew->wrong || crew->failures)
                XB_FAIL("%u workers on %u lanes, %s: %d, %u wrong, %u failures", sizes[i].workers,
                        sizes[i].lanes, engine->name, err, crew->wrong, crew->failures);
            check(crew);
            free(crew);
        }
    }
}

static void check_meetings(const struct crew *crew)
{
    for (uint32_t i = 0; i < crew->team.n_lanes; i++) {
        XB_EXPECT_EQ(crew->notes[i].arrived, ROUNDS);
        XB_EXPECT_EQ(crew->notes[i].released, ROUNDS);
        XB_EXPECT_EQ(crew->notes[i].entered, 1);
        XB_EXPECT_EQ(crew->notes[i].left, 1);
        for (uint32_t j = 0; j < i; j++)
            XB_EXPECT(!pthread_equal(crew->notes[i].thread, crew->notes[j].thread));
        uint32_t hosted = 0;
        for (uint32_t j = 0; j < crew->team.n_workers; j++)
            hosted += crew->workers[j].lane == &crew->lanes[i];
        XB_EXPECT_EQ(hosted, xb_workers_on(crew->team.n_workers, crew->team.n_lanes, i));
    }
}

XB_TEST(Lanes, AllMeetAndEachLaneOnItsOwnThread)
{
    run_all(meet_often, check_meetings);
}

static void check_token(const struct crew *crew)
{
    XB_EXPECT_EQ(crew->token, (uint64_t)ROUNDS * crew->team.n_workers);
}

XB_TEST(Lanes, ATokenPassesFromLaneToLane)
{
    run_all(pass_token, check_token);
}

static void check_wakes(const struct crew *crew)
{
    for (uint32_t i = 0; i < crew->team.n_workers; i++)
        XB_EXPECT_EQ(crew->seen[i], ROUNDS);
}

XB_TEST(Lanes, AWorkerThatIsWokenBeforeItWaitsDoesNotWait)
{
    run_all(wake_everybody, check_wakes);
}

XB_TEST(Lanes, WhereOneCannotBeEnteredNobodyWorks)
{
    for (uint32_t refuse = 0; refuse < 3; refuse++) {
        int err;
        struct crew *crew = run("epoll", 7, 3, refuse, meet_often, &err);
        XB_EXPECT(err < 0);
        XB_EXPECT_EQ(atomic_load(&crew->failures), 1);
        XB_EXPECT_EQ(atomic_load(&crew->all_seen), 0);
        for (uint32_t i = 0; i < 3; i++)
            XB_EXPECT_EQ(crew->notes[i].left, i != refuse);
        free(crew);
    }
}

XB_TEST(Lanes, WorkersAreDealtInTurnAndTheFirstLanesHaveTheRest)
{
    static const uint32_t cases[][2] = { { 1, 1 }, { 7, 3 }, { 64, 2 }, { 8, 8 }, { 1000001, 7 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t workers = cases[i][0], lanes = cases[i][1], sum = 0;
        for (uint32_t lane = 0; lane < lanes; lane++) {
            uint32_t here = xb_workers_on(workers, lanes, lane);
            XB_EXPECT(here == workers / lanes || here == workers / lanes + 1);
            sum += here;
        }
        XB_EXPECT_EQ(sum, workers);
        XB_EXPECT(xb_workers_on(workers, lanes, 0) >= xb_workers_on(workers, lanes, lanes - 1));
    }
}
