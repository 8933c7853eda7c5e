/* SPDX-License-Identifier: BSD-3-Clause
 * Replays anything as recorded slices. What is taken has blocks enough, and each of them a number; what
 * is refused has a reason, in one line. */
#include "harness/core/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char path[] = "/dev/shm/xbound-fuzz-XXXXXX";

static void check(int ok)
{
    if (!ok)
        abort();
}

static void remove_file(void)
{
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static int fd = -1;
    const char *const files[] = { path };
    struct xb_replay replay;
    struct xb_reason why = { 0 };
    if (fd < 0) {
        check((fd = mkstemp(path)) >= 0);
        atexit(remove_file);
    }
    check(ftruncate(fd, 0) == 0 && pwrite(fd, data, bytes, 0) == (ssize_t)bytes);
    int err = xb_replay_open(&replay, files, 1, 12, 0.05, &why);
    check(err < 0 ? why.text[0] && !strchr(why.text, '\n') : replay.n > 0);
    for (size_t i = 0; i < replay.n && !err; i++) {
        struct xb_effect *effect = &replay.contests[i].effect;
        check(replay.contests[i].name[0] && replay.blocks[i] >= XB_BLOCKS_LEAST);
        while (xb_replay_block(&replay, i, &why) == 0) {
            check(replay.contests[i].log_ratios[effect->n] ==
                  replay.contests[i].log_ratios[effect->n]);
            effect->n++;
        }
        check(effect->n == replay.blocks[i]);
    }
    xb_replay_close(&replay);
    return 0;
}
