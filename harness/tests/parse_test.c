/* SPDX-License-Identifier: BSD-3-Clause
 * Tests how numbers, sizes, times and lists are read: strictly. */
#include "xbtest.h"

#include "../base/parse.h"
#include "../base/reason.h"
#include "../base/rooted.h"
#include "../base/units.h"

#include <errno.h>
#include <stdio.h>

struct expected {
    const char *text;
    int err;
    uint64_t value;
};

/* Runs a table through one of the readers. */
static void expect_all(int (*parse)(const char *, uint64_t, uint64_t, uint64_t *), uint64_t least,
                       uint64_t most, const struct expected *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t value = 77;
        int err = parse(table[i].text, least, most, &value);
        uint64_t should = table[i].err ? 77 : table[i].value; /* untouched by a failure */
        if (err != table[i].err || value != should)
            XB_FAIL("'%s' gave %d and %llu, should give %d and %llu", table[i].text, err,
                    (unsigned long long)value, table[i].err, (unsigned long long)should);
    }
}

#define EXPECT_ALL(parse, least, most, table) \
    expect_all(parse, least, most, table, sizeof(table) / sizeof(table)[0])

XB_TEST(Parse, CountsAreWholeNumbersAndNothingElse)
{
    static const struct expected table[] = {
        { "0", 0, 0 },
        { "1", 0, 1 },
        { "007", 0, 7 },
        { "18446744073709551615", 0, UINT64_MAX },
        { "18446744073709551616", -ERANGE, 0 },
        { "99999999999999999999999999", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { " 1", -EINVAL, 0 },
        { "1 ", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "-0", -EINVAL, 0 },
        { "1.0", -EINVAL, 0 },
        { "1e3", -EINVAL, 0 },
        { "0x10", -EINVAL, 0 },
        { "1K", -EINVAL, 0 },
        { "1,2", -EINVAL, 0 },
        { "many", -EINVAL, 0 },
        { "\xd9\xa3", -EINVAL, 0 }, /* an Arabic digit three */
    };
    EXPECT_ALL(xb_parse_count, 0, UINT64_MAX, table);
}

XB_TEST(Parse, ANumberOutOfRangeIsAnErrorAndTheEndsAreNot)
{
    static const struct expected table[] = {
        { "9", -ERANGE, 0 }, { "10", 0, 10 }, { "20", 0, 20 }, { "21", -ERANGE, 0 }
    };
    EXPECT_ALL(xb_parse_count, 10, 20, table);
    EXPECT_ALL(xb_parse_bytes, 10, 20, table);
    static const struct expected times[] = {
        { "9ns", -ERANGE, 0 }, { "10ns", 0, 10 }, { "20ns", 0, 20 }, { "21ns", -ERANGE, 0 }
    };
    EXPECT_ALL(xb_parse_time, 10, 20, times);
}

XB_TEST(Parse, SizesAreInPowersOf1024)
{
    static const struct expected table[] = {
        { "64", 0, 64 },
        { "0K", 0, 0 },
        { "1K", 0, UINT64_C(1) << 10 },
        { "4k", 0, UINT64_C(4) << 10 },
        { "3M", 0, UINT64_C(3) << 20 },
        { "2g", 0, UINT64_C(2) << 30 },
        { "1T", 0, UINT64_C(1) << 40 },
        { "32KiB", 0, UINT64_C(32) << 10 },
        { "1MiB", 0, UINT64_C(1) << 20 },
        { "16777215T", 0, UINT64_C(16777215) << 40 },
        { "16777216T", -ERANGE, 0 },
        { "18446744073709551616", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "K", -EINVAL, 0 },
        { "1.5M", -EINVAL, 0 },
        { "1KB", -EINVAL, 0 },
        { "1kb", -EINVAL, 0 },
        { "1Ki", -EINVAL, 0 },
        { "1KiBs", -EINVAL, 0 },
        { "1 K", -EINVAL, 0 },
        { "1P", -EINVAL, 0 },
        { "1B", -EINVAL, 0 },
        { "1iB", -EINVAL, 0 },
        { "-1K", -EINVAL, 0 },
    };
    EXPECT_ALL(xb_parse_bytes, 0, UINT64_MAX, table);
}

XB_TEST(Parse, TimesAreDecimalWithAUnit)
{
    static const struct expected table[] = {
        { "1", 0, 1000000000 },
        { "1s", 0, 1000000000 },
        { "10ms", 0, 10000000 },
        { "250us", 0, 250000 },
        { "7ns", 0, 7 },
        { "0", 0, 0 },
        { "1.5", 0, 1500000000 },
        { "1.5ms", 0, 1500000 },
        { "0.25us", 0, 250 },
        { "0.000000001s", 0, 1 },
        { "0.0000000019s", 0, 1 },
        { "1.999999999999s", 0, 1999999999 },
        { "18446744073s", 0, UINT64_C(18446744073000000000) },
        { "18446744074s", -ERANGE, 0 },
        { "18446744073.8s", -ERANGE, 0 },
        { "99999999999999999999ns", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "s", -EINVAL, 0 },
        { ".5s", -EINVAL, 0 },
        { "1.", -EINVAL, 0 },
        { "1.ms", -EINVAL, 0 },
        { "1,5ms", -EINVAL, 0 },
        { "1m", -EINVAL, 0 },
        { "1min", -EINVAL, 0 },
        { "1 ms", -EINVAL, 0 },
        { "1msx", -EINVAL, 0 },
        { "1.5.5s", -EINVAL, 0 },
        { "1e3s", -EINVAL, 0 },
        { "-1s", -EINVAL, 0 },
        { "1MS", -EINVAL, 0 },
    };
    EXPECT_ALL(xb_parse_time, 0, UINT64_MAX, table);
}

XB_TEST(Parse, ListsAreCutAtCommasAndTrimmed)
{
    char text[] = " one, two ,\tthree";
    const char *pieces[3];
    XB_EXPECT_EQ(xb_parse_list(text, pieces, 3), 3);
    XB_EXPECT_STREQ(pieces[0], "one");
    XB_EXPECT_STREQ(pieces[1], "two");
    XB_EXPECT_STREQ(pieces[2], "three");
}

XB_TEST(Parse, AListOfOneHasNoComma)
{
    char text[] = "alone";
    const char *pieces[1];
    XB_EXPECT_EQ(xb_parse_list(text, pieces, 1), 1);
    XB_EXPECT_STREQ(pieces[0], "alone");
}

XB_TEST(Parse, EmptyElementsAndTooManyAreErrors)
{
    static const char *const empties[] = { "", " ", ",", "a,", ",a", "a,,b", "a, ,b" };
    const char *pieces[4];
    char text[32];
    for (size_t i = 0; i < sizeof empties / sizeof empties[0]; i++) {
        snprintf(text, sizeof text, "%s", empties[i]);
        if (xb_parse_list(text, pieces, 4) != -EINVAL)
            XB_FAIL("'%s' is taken", empties[i]);
    }
    snprintf(text, sizeof text, "a,b,c,d");
    XB_EXPECT_EQ(xb_parse_list(text, pieces, 4), 4);
    snprintf(text, sizeof text, "a,b,c,d,e");
    XB_EXPECT_EQ(xb_parse_list(text, pieces, 4), -E2BIG);
}

XB_TEST(Units, BytesAreShownInTheLargestUnitThatFits)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } table[] = {
        { 0, "0 bytes" },
        { 1023, "1023 bytes" },
        { 1024, "1 KiB" },
        { 49152, "48 KiB" },
        { 1310720, "1.25 MiB" },
        { UINT64_C(3) << 30, "3 GiB" },
        { UINT64_C(1) << 40, "1 TiB" },
        { UINT64_C(1) << 50, "1 PiB" },
        { UINT64_MAX, "16 EiB" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[XB_BYTES_TEXT];
        XB_EXPECT_STREQ(xb_bytes_text(table[i].bytes, text), table[i].text);
    }
}

XB_TEST(Reason, IsCutWhenItIsTooLongAndMayBeUnwanted)
{
    struct xb_reason why;
    char longer[2 * XB_REASON_BYTES];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    XB_EXPECT_EQ(xb_because(&why, -EPERM, "%s", longer), -EPERM);
    XB_EXPECT_EQ(why.code, -EPERM);
    XB_EXPECT_EQ(strlen(why.text), XB_REASON_BYTES - 1);
    XB_EXPECT_EQ(xb_because(NULL, -EIO, "nobody reads this"), -EIO);
}

/* ---- the kernel's small files ---- */

static void write_file(const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s", xb_test_folder(), name);
    FILE *file = fopen(path, "we");
    fputs(text, file);
    fclose(file);
}

XB_TEST(Rooted, TextLosesItsWhiteSpaceAtTheEndAndIsCut)
{
    char text[6];
    write_file("/short", "ab \n\n");
    write_file("/long", "abcdefgh\n");
    XB_EXPECT_EQ(xb_rooted_text(xb_test_folder(), "/short", text, sizeof text), 2);
    XB_EXPECT_STREQ(text, "ab");
    XB_EXPECT_EQ(xb_rooted_text(xb_test_folder(), "/long", text, sizeof text), 5);
    XB_EXPECT_STREQ(text, "abcde");
    XB_EXPECT_EQ(xb_rooted_text(xb_test_folder(), "/missing", text, sizeof text), -ENOENT);
    XB_EXPECT_STREQ(text, "");
    XB_EXPECT(xb_rooted_text(xb_test_folder(), "/", text, sizeof text) < 0);
    XB_EXPECT_STREQ(text, "");
}

XB_TEST(Rooted, IntegersAreWholeFilesOrMissing)
{
    static const struct {
        const char *text;
        long long value;
    } table[] = { { "42\n", 42 }, { "-1", -1 }, { "0", 0 },     { "", 5 },
                  { "max\n", 5 }, { "42x", 5 }, { "1 2\n", 5 }, { "9223372036854775808\n", 5 } };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        write_file("/number", table[i].text);
        XB_EXPECT_EQ(xb_rooted_integer(xb_test_folder(), "/number", 5), table[i].value);
    }
    XB_EXPECT_EQ(xb_rooted_integer(xb_test_folder(), "/missing", 5), 5);
}

XB_TEST(Rooted, ValuesAreFoundByTheirWholeKey)
{
    char value[16] = "kept";
    write_file("/facts", "model name extra: no\nmodel name\t: Quick One\nNAME=\"q\"\nEND: last");
    const char *root = xb_test_folder();
    XB_EXPECT(!xb_rooted_value(root, "/facts", "model", ':', value, sizeof value));
    XB_EXPECT_STREQ(value, "kept");
    XB_EXPECT(xb_rooted_value(root, "/facts", "model name", ':', value, sizeof value));
    XB_EXPECT_STREQ(value, "Quick One");
    XB_EXPECT(xb_rooted_value(root, "/facts", "NAME", '=', value, sizeof value));
    XB_EXPECT_STREQ(value, "q");
    XB_EXPECT(xb_rooted_value(root, "/facts", "END", ':', value, sizeof value));
    XB_EXPECT_STREQ(value, "last");
}
