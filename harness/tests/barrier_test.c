/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the barrier with threads and with processes, in step and out of it. */
#include "cellrun.h"
#include "xbtest.h"

#include "../base/barrier.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 1000, PARTIES_MAX = 5 };

struct hall {
    struct xb_barrier barrier;
    /* Plain, not atomic: what was written before the barrier must be visible after it, and a
     * sanitizer watches. */
    uint32_t round_of[PARTIES_MAX];
    _Atomic uint32_t too_early;
};

struct guest {
    struct hall *hall;
    uint32_t index, parties;
};

static void attend(const struct guest *guest)
{
    struct hall *hall = guest->hall;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        /* Now and then one is late, so that the others go to sleep. */
        if (round % 128 == guest->index)
            nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        hall->round_of[guest->index] = round;
        xb_barrier_wait(&hall->barrier);
        for (uint32_t i = 0; i < guest->parties; i++)
            if (hall->round_of[i] != round)
                atomic_fetch_add(&hall->too_early, 1);
        xb_barrier_wait(&hall->barrier); /* before anybody writes again */
    }
}

static void *attend_as_thread(void *argument)
{
    attend(argument);
    return NULL;
}

static struct hall *open_hall(uint32_t parties)
{
    struct hall *hall = xb_cell_shared(sizeof *hall);
    xb_barrier_init(&hall->barrier, parties);
    return hall;
}

static const uint32_t party_sizes[] = { 1, 2, 5 };

XB_TEST(Barrier, ThreadsMeetAThousandTimes)
{
    for (int p = 0; p < 3; p++) {
        uint32_t parties = party_sizes[p];
        struct hall *hall = open_hall(parties);
        struct guest guest[PARTIES_MAX];
        pthread_t thread[PARTIES_MAX];
        for (uint32_t i = 0; i < parties; i++) {
            guest[i] = (struct guest){ hall, i, parties };
            XB_EXPECT_EQ(pthread_create(&thread[i], NULL, attend_as_thread, &guest[i]), 0);
        }
        for (uint32_t i = 0; i < parties; i++)
            pthread_join(thread[i], NULL);
        XB_EXPECT_EQ(atomic_load(&hall->too_early), 0);
    }
}

XB_TEST(Barrier, ProcessesMeetAThousandTimes)
{
    for (int p = 0; p < 3; p++) {
        uint32_t parties = party_sizes[p];
        struct hall *hall = open_hall(parties);
        pid_t pid[PARTIES_MAX];
        for (uint32_t i = 0; i < parties; i++) {
            pid[i] = fork();
            if (pid[i] == 0) {
                attend(&(struct guest){ hall, i, parties });
                _exit(EXIT_SUCCESS);
            }
            XB_EXPECT(pid[i] > 0);
        }
        for (uint32_t i = 0; i < parties; i++) {
            int status = -1;
            XB_EXPECT_EQ(waitpid(pid[i], &status, 0), pid[i]);
            XB_EXPECT_EQ(status, 0);
        }
        XB_EXPECT_EQ(atomic_load(&hall->too_early), 0);
    }
}

/* Looking keeps a CPU from the one that is waited for, where there is not one for each. */
XB_TEST(Barrier, PartiesLookBeforeTheySleepOnlyWhereEachHasACpu)
{
    struct xb_barrier barrier;
    xb_barrier_init(&barrier, 1);
    XB_EXPECT(barrier.spins > 0);
    xb_barrier_init(&barrier, 100000);
    XB_EXPECT_EQ(barrier.spins, 0);
    XB_EXPECT_EQ(barrier.parties, 100000);
}
