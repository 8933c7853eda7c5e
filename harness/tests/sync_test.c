/* SPDX-License-Identifier: BSD-3-Clause
 * Tests that what workers await of each other means the same under every model.
 *
 * A scene is what each worker of a team does once; it runs as a kernel in a cell of its own, and
 * says what went wrong through the cell's reason. */
#include "cellrun.h"
#include "xbtest.h"

#include "../../kernels/sync.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS = 4, ROUNDS = 200, SLOTS = 3, LOCKS = 5 };

/* In memory that all workers see. */
struct props {
    struct xb_mutex lock[LOCKS];
    struct xb_barrier_point all;
    struct xb_queue queue;
    uint64_t slots[SLOTS];
    _Atomic uint64_t sum, last, inside, worst;
    uint64_t plain; /* guarded by lock[0] */
    uint64_t child[WORKERS];
};

struct scene {
    const char *name;
    int (*play)(struct xb_run *run, struct props *props, struct xb_io_op *op);
    uint32_t workers;
    int code;        /* that the cell should end with */
    const char *why; /* that its reason should hold, or NULL */
};

static const struct scene *scene;

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    struct props *props = memory->take(memory, sizeof *props, _Alignof(struct props));
    if (!props)
        return -ENOMEM;
    *team = props;
    for (uint32_t i = 0; i < LOCKS; i++)
        xb_mutex_init(&props->lock[i], 'R', i);
    xb_barrier_point_init(&props->all, params->workers);
    xb_queue_init(&props->queue, (char *)props->slots, SLOTS, sizeof props->slots[0]);
    return 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)params;
    (void)team;
    *state = calloc(1, sizeof(bool));
    return *state ? 0 : -ENOMEM;
}

/* In the warm-up only. */
static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    bool *played = state;
    struct xb_io_op op = { .fd = -1 };
    did->items += iters;
    int err = *played ? 0 : scene->play(run, run->team, &op);
    *played = true;
    return err;
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)params;
    (void)team;
    (void)state;
    return did->items == iters ? 0 : -EBADMSG;
}

static const struct xb_kernel stage = {
    .name = "sync/stage",
    .summary = "plays a scene",
    .source = "none",
    .item = "iteration",
    .bound = XB_CLASS_SYNC,
    .fit = XB_FIT_OWN,
    .own_bytes = 1,
    .needs = XB_NEED_TEAM,
    .team_setup = team_setup,
    .setup = setup,
    .run = run,
    .verify = verify,
    .teardown = free,
};

#define EXPECT(run, condition)                                                         \
    do {                                                                               \
        if (!(condition))                                                              \
            return xb_explain((run)->params, -EPROTO, "%s: %s", __func__, #condition); \
    } while (0)

/* ---- scenes ---- */

static void yield(struct xb_run *run, struct xb_io_op *op)
{
    xb_await_on(run->io, op, XB_IO_YIELD, NULL);
}

/* The count is not atomic and gives way in the middle: only the lock keeps it right. */
static int lock_excludes(struct xb_run *run, struct props *props, struct xb_io_op *op)
{
    for (int i = 0; i < ROUNDS; i++) {
        EXPECT(run, xb_await_on(run->io, op, XB_IO_LOCK, &props->lock[0]) == 0);
        uint64_t before = props->plain;
        EXPECT(run, atomic_fetch_add(&props->inside, 1) == 0);
        if (i % 7 == 0)
            yield(run, op);
        atomic_fetch_sub(&props->inside, 1);
        props->plain = before + 1;
        EXPECT(run, xb_await_on(run->io, op, XB_IO_UNLOCK, &props->lock[0]) == 0);
    }
    xb_await_on(run->io, op, XB_IO_BARRIER, &props->all);
    EXPECT(run, props->plain == (uint64_t)ROUNDS * run->params->workers);
    return 0;
}

static int misuse_is_told(struct xb_run *run, struct props *props, struct xb_io_op *op)
{
    struct xb_mutex *own = &props->lock[run->params->index];
    EXPECT(run, xb_await_on(run->io, op, XB_IO_UNLOCK, own) == -EPERM);
    EXPECT(run, xb_await_on(run->io, op, XB_IO_TRYLOCK, own) == 0);
    EXPECT(run, xb_await_on(run->io, op, XB_IO_LOCK, own) == -EDEADLK);
    EXPECT(run, xb_await_on(run->io, op, XB_IO_TRYLOCK, own) == -EBUSY);
    xb_await_on(run->io, op, XB_IO_BARRIER, &props->all);
    struct xb_mutex *next = &props->lock[(run->params->index + 1) % run->params->workers];
    EXPECT(run, xb_await_on(run->io, op, XB_IO_UNLOCK, next) == -EPERM);
    EXPECT(run, xb_await_on(run->io, op, XB_IO_TRYLOCK, next) == -EBUSY);
    xb_await_on(run->io, op, XB_IO_BARRIER, &props->all);
    EXPECT(run, xb_await_on(run->io, op, XB_IO_UNLOCK, own) == 0);
    EXPECT(run, xb_await_on(run->io, op, XB_IO_LOCK, NULL) == -EINVAL);
    EXPECT(run, xb_await_on(run->io, op, XB_IO_JOIN, NULL) == -EINVAL);
    op->entry = NULL;
    EXPECT(run, xb_await_on(run->io, op, XB_IO_SPAWN, NULL) == -EINVAL);
    return 0;
}

/* An engine by itself knows nothing of the team: together with other operations it is refused. */
static int team_operations_are_awaited_alone(struct xb_run *run, struct props *props,
                                             struct xb_io_op *unused)
{
    (void)unused;
    struct xb_io_op ops[2] = { { .kind = XB_IO_YIELD, .fd = -1 },
                               { .kind = XB_IO_LOCK, .on = &props->lock[0], .fd = -1 } };
    EXPECT(run, run->io->await(run->io, ops, 2, 2) == 0);
    EXPECT(run, ops[0].result == 0 && ops[1].result == -EINVAL);
    return 0;
}

/* Nobody leaves round k before all have come to it, and one of them is the last. */
static int barrier_holds_all(struct xb_run *run, struct props *props, struct xb_io_op *op)
{
    uint64_t workers = run->params->workers;
    for (uint64_t k = 1; k <= ROUNDS; k++) {
        atomic_fetch_add(&props->sum, 1);
        int64_t last = xb_await_on(run->io, op, XB_IO_BARRIER, &props->all);
        EXPECT(run, last == 0 || last == 1);
        atomic_fetch_add(&props->last, (uint64_t)last);
        EXPECT(run, atomic_load(&props->sum) >= k * workers);
    }
    xb_await_on(run->io, op, XB_IO_BARRIER, &props->all);
    EXPECT(run, atomic_load(&props->last) == ROUNDS);
    return 0;
}

/* Half put, half get; nothing is lost, doubled or torn, and each putter's come in order. */
static int queue_keeps_messages(struct xb_run *run, struct props *props, struct xb_io_op *op)
{
    uint32_t index = run->params->index;
    uint64_t message, seen[WORKERS] = { 0 };
    op->buf = &message;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        if (index % 2 == 0) {
            message = i * WORKERS + index;
            EXPECT(run, xb_await_on(run->io, op, XB_IO_PUT, &props->queue) == 0);
            continue;
        }
        EXPECT(run, xb_await_on(run->io, op, XB_IO_GET, &props->queue) == 0);
        EXPECT(run, message % WORKERS % 2 == 0 && message / WORKERS > seen[message % WORKERS]);
        seen[message % WORKERS] = message / WORKERS;
        atomic_fetch_add(&props->sum, message / WORKERS);
    }
    xb_await_on(run->io, op, XB_IO_BARRIER, &props->all);
    EXPECT(run, atomic_load(&props->sum) == WORKERS / 2 * (uint64_t)ROUNDS * (ROUNDS + 1) / 2);
    return 0;
}

struct errand {
    uint64_t *to, value;
};

static void do_errand(void *buf)
{
    const struct errand *errand = buf;
    *errand->to = errand->value;
}

static int children_end_and_are_joined(struct xb_run *run, struct props *props, struct xb_io_op *op)
{
    uint64_t *mine = &props->child[run->params->index];
    op->entry = do_errand;
    for (uint64_t i = 1; i <= 8; i++) {
        struct errand errand = { mine, i };
        op->buf = &errand;
        EXPECT(run, xb_await_on(run->io, op, XB_IO_SPAWN, NULL) == 0);
        EXPECT(run, op->on != NULL);
        if (i % 2) /* so that some have ended before they are joined */
            yield(run, &(struct xb_io_op){ .fd = -1 });
        EXPECT(run, xb_await_on(run->io, op, XB_IO_JOIN, op->on) == 0);
        EXPECT(run, *mine == i);
    }
    return 0;
}

/* No clock here: the result alone says how late a tick came. */
static int ticks_are_not_early(struct xb_run *run, struct props *props, struct xb_io_op *op)
{
    (void)props;
    op->sleep_ns = 200000;
    for (int i = 0; i < 20; i++)
        EXPECT(run, xb_await_on(run->io, op, XB_IO_TICK, NULL) >= 0);
    return 0;
}

static int circle_is_found(struct xb_run *run, struct props *props, struct xb_io_op *op)
{
    uint32_t index = run->params->index, next = (index + 1) % run->params->workers;
    EXPECT(run, xb_await_on(run->io, op, XB_IO_LOCK, &props->lock[index]) == 0);
    xb_await_on(run->io, op, XB_IO_BARRIER, &props->all);
    return (int)xb_await_on(run->io, op, XB_IO_LOCK, &props->lock[next]);
}

/* Worker 0 is in no circle: he waits for one who is. */
static int circle_beside_others_is_found(struct xb_run *run, struct props *props,
                                         struct xb_io_op *op)
{
    uint32_t index = run->params->index;
    if (index > 0)
        EXPECT(run, xb_await_on(run->io, op, XB_IO_LOCK, &props->lock[index]) == 0);
    xb_await_on(run->io, op, XB_IO_BARRIER, &props->all);
    uint32_t wanted = index == 0 ? 2 : 3 - index;
    return (int)xb_await_on(run->io, op, XB_IO_LOCK, &props->lock[wanted]);
}

/* Worker 1 waits for a lock, but the one that has it waits in the barrier: no circle of locks. */
static int hang_is_no_deadlock(struct xb_run *run, struct props *props, struct xb_io_op *op)
{
    if (run->params->index == 0)
        EXPECT(run, xb_await_on(run->io, op, XB_IO_LOCK, &props->lock[0]) == 0);
    while (run->params->index && !atomic_load(&props->lock[0].word))
        yield(run, op);
    return run->params->index ? (int)xb_await_on(run->io, op, XB_IO_LOCK, &props->lock[0])
                              : (int)xb_await_on(run->io, op, XB_IO_BARRIER, &props->all);
}

static const struct scene scenes[] = {
    { "LockExcludes", lock_excludes, WORKERS, 0, NULL },
    { "MisuseIsTold", misuse_is_told, WORKERS, 0, NULL },
    { "TeamOperationsAreAwaitedAlone", team_operations_are_awaited_alone, 1, 0, NULL },
    { "BarrierHoldsAll", barrier_holds_all, WORKERS, 0, NULL },
    { "QueueKeepsMessages", queue_keeps_messages, WORKERS, 0, NULL },
    { "ChildrenEndAndAreJoined", children_end_and_are_joined, 2, 0, NULL },
    { "TicksAreNotEarly", ticks_are_not_early, 2, 0, NULL },
    { "CircleIsFound", circle_is_found, 3, -EDEADLK,
      "deadlock: P0 -> R1 -> P1 -> R2 -> P2 -> R0 -> P0" },
    { "CircleBesideOthersIsFound", circle_beside_others_is_found, 3, -EDEADLK, "deadlock: P" },
    { "HangIsNoDeadlock", hang_is_no_deadlock, 2, -ETIMEDOUT, NULL },
};

enum { N_SCENES = sizeof scenes / sizeof scenes[0] };

#define HANG_LIMIT_NS UINT64_C(1000000000) /* for the scene that never ends */

struct show {
    const struct scene *scene;
    const struct xb_model *model;
    const struct xb_io_engine *engine; /* NULL: the plainest */
    uint32_t lanes;                    /* 0: what the model has by itself */
};

static void play(const void *argument)
{
    const struct show *show = argument;
    scene = show->scene;
    struct xb_plan plan = xb_cell_plan(&stage, show->model, scene->workers);
    plan.lanes = show->lanes;
    plan.engine = show->engine ? show->engine : plan.engine;
    struct xb_cell_run cell;
    xb_cell_run(&plan, scene->code == -ETIMEDOUT ? HANG_LIMIT_NS : XB_CELL_LIMIT_NS, NULL, &cell);
    if (cell.code != scene->code)
        XB_FAIL("code %d, should be %d: %s", cell.code, scene->code, cell.why);
    if (scene->why)
        XB_EXPECT_HAS(cell.why, scene->why);
    xb_cell_run_close(&cell);
}

static struct show shows[N_SCENES * 64];

/* Whoever waits and whoever wakes him then are on different lanes. */
static struct show *add_lanes(struct show *show, const struct scene *of,
                              const struct xb_model *model)
{
    for (size_t i = 0; i < xb_builtin.n_engines; i++) {
        const struct xb_io_engine *engine = xb_builtin.engines[i];
        for (uint32_t lanes = 2; lanes <= of->workers && lanes <= 3; lanes++) {
            if (!model->shares_lanes || !engine->parks || engine->probe(NULL) != 0)
                continue;
            char name[128];
            *show = (struct show){ of, model, engine, lanes };
            snprintf(name, sizeof name, "%s__%s_x%u_%s", of->name, model->name, lanes,
                     engine->name);
            xb_test_add("Sync", name, __FILE__, __LINE__, play, show++);
        }
    }
    return show;
}

XB_TESTS(of_all_scenes)
{
    struct show *show = shows;
    for (size_t i = 0; i < xb_builtin.n_models; i++) {
        for (size_t j = 0; j < N_SCENES; j++) {
            char name[128];
            *show = (struct show){ .scene = &scenes[j], .model = xb_builtin.models[i] };
            snprintf(name, sizeof name, "%s__%s", scenes[j].name, xb_builtin.models[i]->name);
            xb_test_add("Sync", name, __FILE__, __LINE__, play, show++);
            show = add_lanes(show, &scenes[j], xb_builtin.models[i]);
        }
    }
}
