/* The one header a test includes: tests are C, GoogleTest runs and reports them.
 *
 *     XB_TEST(Row, AbsentMetricIsAnEmptyField)
 *     {
 *         XB_EXPECT_EQ(xb_sample_write(out, &row), 0);
 *     }
 *
 * Names are sentences. Filters, shuffling, sharding and XML output are GoogleTest's. */
#ifndef XB_TESTS_XBTEST_H
#define XB_TESTS_XBTEST_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what xbtest.cc implements ---- */

/* Adds a test. `body(argument)` runs in the test process. Before main() only: from XB_TEST and
 * XB_TESTS. Strings are copied. */
void xb_test_add(const char *suite, const char *name, const char *file, int line,
                 void (*body)(const void *argument), const void *argument);

/* Reports a failure of the running test, which goes on. Only from the test's own process. */
void xb_test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Marks the running test as skipped, with the reason printed; return afterwards. */
void xb_test_skip(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether the running test has failed so far. */
bool xb_test_failed(void);

/* A folder of this test's own, removed with all it holds when the test ends. */
const char *xb_test_folder(void);

/* Absolute path below harness/tests/data/; static storage until the next call. */
const char *xb_test_data(const char *name);

/* Absolute path of the xbound program that was built with these tests. */
const char *xb_test_program(void);

#ifdef __cplusplus
}
#endif

#define XB_TEST_NAME(suite, name)  xb_test_##suite##_##name
#define XB_TEST_ENTER(suite, name) xb_test_enter_##suite##_##name

#define XB_TEST(suite, name)                                                             \
    static void XB_TEST_NAME(suite, name)(const void *argument);                         \
    __attribute__((constructor)) static void XB_TEST_ENTER(suite, name)(void)            \
    {                                                                                    \
        xb_test_add(#suite, #name, __FILE__, __LINE__, XB_TEST_NAME(suite, name), NULL); \
    }                                                                                    \
    static void XB_TEST_NAME(suite, name)(__attribute__((unused)) const void *argument)

/* A function that is called once before main() and adds tests of its own with xb_test_add(), for
 * instance one for each entry of a registry. */
#define XB_TESTS(name) __attribute__((constructor)) static void xb_tests_##name(void)

#define XB_FAIL(...) xb_test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define XB_SKIP(...) xb_test_skip(__FILE__, __LINE__, __VA_ARGS__)

#define XB_EXPECT(condition)                     \
    do {                                         \
        if (!(condition))                        \
            XB_FAIL("expected: %s", #condition); \
    } while (0)

/* Whole numbers of any type. */
#define XB_EXPECT_EQ(is, should)                                            \
    do {                                                                    \
        long long xb_is = (long long)(is), xb_should = (long long)(should); \
        if (xb_is != xb_should)                                             \
            XB_FAIL("%s is %lld, should be %lld", #is, xb_is, xb_should);   \
    } while (0)

#define XB_EXPECT_STREQ(is, should)                                                        \
    do {                                                                                   \
        const char *xb_is = (is), *xb_should = (should);                                   \
        if (!xb_is || strcmp(xb_is, xb_should) != 0)                                       \
            XB_FAIL("%s is\n%s\nshould be\n%s", #is, xb_is ? xb_is : "(null)", xb_should); \
    } while (0)

#define XB_EXPECT_HAS(text, part)                                                            \
    do {                                                                                     \
        const char *xb_is = (text), *xb_part = (part);                                       \
        if (!xb_is || !strstr(xb_is, xb_part))                                               \
            XB_FAIL("%s is\n%s\nwhich lacks\n%s", #text, xb_is ? xb_is : "(null)", xb_part); \
    } while (0)

/* Doubles; |is - should| <= within. NaN is near nothing. */
#define XB_EXPECT_NEAR(is, should, within)                                           \
    do {                                                                             \
        double xb_is = (is), xb_should = (should);                                   \
        double xb_off = xb_is > xb_should ? xb_is - xb_should : xb_should - xb_is;   \
        if (!(xb_off <= (within)))                                                   \
            XB_FAIL("%s is %.9g, should be %.9g within %.3g", #is, xb_is, xb_should, \
                    (double)(within));                                               \
    } while (0)

#endif
