/* SPDX-License-Identifier: BSD-3-Clause
 * Tests that a machine is not driven into its limits: recorded ones, and the reasons they give. */
#include "xbtest.h"

#include "../core/footprint.h"
#include "../core/room.h"
#include "../models/model.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct xb_model heavy = { .name = "heavy", .worker_bytes = 64 << 10 };

/* data/room: 500 tasks of at most 20000, and 1 GiB of memory available. */
static int ask(uint32_t workers, uint32_t lanes, struct xb_reason *why)
{
    *why = (struct xb_reason){ 0 };
    return xb_room_for(xb_test_data("room"), &heavy, workers, lanes, why);
}

XB_TEST(Room, TasksThatDoNotFitAreRefusedWithTheLimit)
{
    struct xb_reason why;
    XB_EXPECT_EQ(ask(1, 1, &why), 0);
    XB_EXPECT_EQ(ask(1000, 1000, &why), 0);
    XB_EXPECT_EQ(ask(19501, 19501, &why), -EAGAIN);
    XB_EXPECT_HAS(why.text, "sysctl kernel.threads-max is 20000");
    XB_EXPECT_EQ(ask(1 << 20, 1 << 20, &why), -EAGAIN);
}

XB_TEST(Room, MemoryThatDoesNotFitIsRefusedWithWhatThereIs)
{
    struct xb_reason why;
    XB_EXPECT_EQ(ask(13000, 1, &why), 0);       /* 812 MiB of 819 */
    XB_EXPECT_EQ(ask(13200, 1, &why), -ENOMEM); /* 825 */
    XB_EXPECT_HAS(why.text, "13200 workers of heavy take 64 KiB each");
    XB_EXPECT_HAS(why.text, "1024 MiB available");
    XB_EXPECT_EQ(ask(UINT32_MAX, 1, &why), -ENOMEM);
}

XB_TEST(Room, WhatCannotBeReadIsNoLimit)
{
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_room_for("/no/such/machine", &heavy, 50000, 1, &why), 0);
}

/* ---- what there is already ---- */

/* Not by code that a sanitizer watches: for each page it would touch one of its own. */
__attribute__((noinline, no_sanitize("thread", "address"))) static void
touch_pages(volatile char *room, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += (size_t)sysconf(_SC_PAGESIZE))
        room[at] = 1;
}

XB_TEST(Footprint, PagesThatAreTouchedAreSeenAndOthersAreNot)
{
    enum { PAGES = 4096 };
    size_t bytes = (size_t)PAGES * (size_t)sysconf(_SC_PAGESIZE);
    pid_t self = getpid();
    struct xb_footprint empty, mapped, touched;
    xb_footprint_read(&self, 1, true, &empty);
    if (empty.resident < 0 || empty.kernel < 0) {
        XB_SKIP("this kernel tells no Pss_Anon");
        return;
    }
    char *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    XB_EXPECT(room != MAP_FAILED);
    madvise(room, bytes, MADV_NOHUGEPAGE);
    xb_footprint_read(&self, 1, true, &mapped);
    touch_pages(room, bytes);
    xb_footprint_read(&self, 1, true, &touched);
    munmap(room, bytes);
    XB_EXPECT(mapped.resident - empty.resident < (int64_t)bytes / 8);
    XB_EXPECT_NEAR(touched.resident - mapped.resident, bytes, (double)bytes / 8);
}

XB_TEST(Footprint, OfAProcessThatIsGoneNothingIsTold)
{
    pid_t pids[] = { getpid(), 0x7ffffff0 };
    struct xb_footprint gone;
    xb_footprint_read(pids, 2, true, &gone);
    XB_EXPECT(gone.resident < 0);
    XB_EXPECT(gone.kernel < 0);
    xb_footprint_read(pids, 1, false, &gone);
    XB_EXPECT(gone.kernel < 0); /* nobody asked */
}

XB_TEST(Footprint, FewWorkersDoNotStandOut)
{
    XB_EXPECT(!xb_footprint_tells_resident(63));
    XB_EXPECT(xb_footprint_tells_resident(64));
    XB_EXPECT(!xb_footprint_tells_kernel(499, 1, 8));
    XB_EXPECT(xb_footprint_tells_kernel(500, 1, 8));
    XB_EXPECT(!xb_footprint_tells_kernel(999, 999, 2));
    XB_EXPECT(xb_footprint_tells_kernel(1000, 1000, 2));
}
