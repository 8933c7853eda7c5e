/* SPDX-License-Identifier: BSD-3-Clause
 * Tests scripts/validate-gil.sh: its command line, and what it makes of an interpreter that will not
 * do. How real Python scales is for a run to tell, not for a test. */
#include "spawn.h"
#include "xbtest.h"

#include <stdio.h>
#include <stdlib.h>

#define SCRIPT XB_SOURCE_DIR "/scripts/validate-gil.sh"

XB_TEST(ValidateGil, WrongOptionsAreRefusedBeforeAnythingIsDone)
{
    static const char *const wrong[] = { "--frobnicate",  "--rounds",    "--rounds 4",
                                         "--rounds many", "--work-ms 5", "gil-cpu" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char command[8192];
        snprintf(command, sizeof command, SCRIPT " -o x %s >out 2>err", wrong[i]);
        int code = xb_shell(command);
        if (code != 2)
            XB_FAIL("'validate-gil.sh %s' ends with %d", wrong[i], code);
        XB_EXPECT_EQ(xb_shell("test ! -s out && grep -q '^validate-gil.sh: ' err && test ! -e x"),
                     0);
    }
}

XB_TEST(ValidateGil, IsSkippedWithoutACPythonThatHasAGil)
{
    XB_EXPECT_EQ(xb_shell("PYTHON=/nowhere/python3 " SCRIPT " -o x 2>err"), 77);
    XB_EXPECT_EQ(xb_shell("PYTHON=false " SCRIPT " -o x 2>>err"), 77);
    XB_EXPECT_EQ(xb_shell("test $(grep -c 'skipped: ' err) = 2 && test ! -e x"), 0);
}

XB_TEST(ValidateGil, AFolderThatIsNotEmptyIsLeftAlone)
{
    XB_EXPECT_EQ(xb_shell("mkdir x && touch x/mine"), 0);
    XB_EXPECT_EQ(
        xb_shell("XBOUND='" XB_TEST_PROGRAM "' PYTHON=$(command -v true) " SCRIPT " -o x 2>err"),
        2);
    XB_EXPECT_EQ(xb_shell("test \"$(ls x)\" = mine && grep -q 'not empty' err"), 0);
}
