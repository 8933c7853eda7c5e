/* SPDX-License-Identifier: BSD-3-Clause
 * Looks whether the hot loop of each kernel still holds what its tags claim, so that no compiler
 * empties a benchmark unseen. A kernel that ran a loop of nothing would pass all other tests. */
#include "loops.h"
#include "xbtest.h"

#include "../../kernels/kernel.h"
#include "../core/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- reading, on what objdump once said ---- */

static int check(const char *tag_text, char **said)
{
    struct xb_code code = { 0 };
    struct xb_loop_tag *tags = NULL;
    struct xb_reason why = { 0 };
    size_t bytes = 0;
    int err = -EINVAL;
    FILE *in = fopen(xb_test_data("loops.txt"), "re"), *say = open_memstream(said, &bytes);
    if (!in || xb_code_read(&code, in) != 0 || xb_loop_tags_read(tag_text, &tags, &why) != 0 ||
        !tags)
        XB_FAIL("%s: %s", tag_text, why.text);
    else
        err = xb_loop_check(tags, &code, say);
    fclose(say);
    if (in)
        fclose(in);
    xb_loop_tags_close(tags);
    xb_code_close(&code);
    return err;
}

static void expect_check(int line, const char *tag_text, int should, const char *part)
{
    char *said = NULL;
    int is = check(tag_text, &said);
    if (is != should || !strstr(said, part))
        XB_FAIL("line %d: %s: %d, should be %d; it says\n%s\nwhich should hold\n%s", line, tag_text,
                is, should, said, part);
    free(said);
}

#define EXPECT_HOLDS(claims) expect_check(__LINE__, "/* xb-loop: " claims " */", 0, "")
#define EXPECT_BROKEN(claims, say) \
    expect_check(__LINE__, "/* xb-loop: " claims " */", -EBADMSG, say)

XB_TEST(LoopRules, ALoopHoldsWhatItClaims)
{
    EXPECT_HOLDS("chase: 4 mov \\((%r[a-z0-9]+)\\),%r; 0 \\(%rsp\\)");
    EXPECT_HOLDS("count: 1 add %r[a-z0-9]+,\\(%r; 1 (add|sub) \\$0x(1|f+),%e");
    EXPECT_HOLDS("step: 4 vfmadd[0-9]+pd .*%zmm"); /* the compiler called it step.constprop.0 */
}

XB_TEST(LoopRules, AnEmptiedLoopFails)
{
    EXPECT_BROKEN("chase_unused: 4 mov \\(%r", "has no loop at all");
    EXPECT_BROKEN("branches_emptied: 1 test \\$0x1,; 1 j(e|ne) ", "found 0");
    /* The loop around it is left, with one addition for 64. It adds to memory as well, and only
     * its counter tells: the inner loop's is an int. */
    EXPECT_HOLDS("count_emptied: 1 add %r[a-z0-9]+,\\(%r");
    EXPECT_BROKEN("count_emptied: 1 add %r[a-z0-9]+,\\(%r; 1 (add|sub) \\$0x(1|f+),%e", "120: add");
}

/* An address that was just loaded, in the register that is loaded next. */
XB_TEST(LoopRules, ABackReferenceTellsADependentLoad)
{
    EXPECT_HOLDS("chase: 2 mov \\((%r[a-z0-9]+)\\),\\1");
    EXPECT_BROKEN("branches: 1 mov \\((%r[a-z0-9]+)\\),\\1", "found 0");
}

XB_TEST(LoopRules, CountsAreExactAtLeastOrWithin)
{
    EXPECT_HOLDS("chase: 4 mov \\(%r");
    EXPECT_HOLDS("chase: 4+ mov \\(%r");
    EXPECT_HOLDS("chase: 3-4 mov \\(%r");
    EXPECT_BROKEN("chase: 3 mov \\(%r", "BROKEN  3 mov \\(%r: found 4");
    EXPECT_BROKEN("chase: 5+ mov \\(%r", "found 4");
    EXPECT_BROKEN("chase: 1-3 mov \\(%r", "found 4");
    EXPECT_BROKEN("chase: 4 mov \\(%r; 0 sar", "BROKEN  0 sar: found 1");
}

/* Its first instruction and its last belong to it, those on either side do not. */
XB_TEST(LoopRules, ALoopGoesFromTheTargetToTheJump)
{
    EXPECT_HOLDS(
        "chase: 1 cmp; 1 jne 80 <chase\\+0x10>; 1 mov \\(%rsi\\),%rax; 0 nopw; 0 ret; 11 .");
}

XB_TEST(LoopRules, OnlyInnermostLoopsCount)
{
    EXPECT_BROKEN("count: 1 add %r[a-z0-9]+,\\(%r; 1 mov \\$0x40,%eax", "e0: add");
}

/* clang enters in the middle, leaves by jumping back to the loop around, and goes on in two ways:
 * 130 .. 146 is the loop, although it holds a jump back to 110. */
XB_TEST(LoopRules, JumpsToOnePlaceAreOneLoop)
{
    EXPECT_HOLDS("branches: 1 test \\$0x1,; 1 je 130 ; 1 jmp 130 ; 1 add %rcx,%rax; 1 shr");
}

/* In mix_emptied the block at d0 jumps back to the end of the function, which returns, and this end
 * lies between the two halves of the loop. */
XB_TEST(LoopRules, WhatNoRoundPassesIsNotInTheLoop)
{
    EXPECT_HOLDS("mix_emptied: 1 je c0 ; 1 jne 80 ; 0 add %r[a-z0-9]+,\\(%r");
    EXPECT_BROKEN("mix_emptied: 1 ret", "found 0");
    EXPECT_BROKEN("mix_emptied: 1 shl \\$0x6,%rdx", "found 0");
}

XB_TEST(LoopRules, AJumpToAnotherFunctionIsNoLoop)
{
    EXPECT_BROKEN("peak: 1 jmp", "has no loop at all");
}

XB_TEST(LoopRules, AFunctionThatIsGoneIsSaid)
{
    expect_check(__LINE__, "/* xb-loop: cha: 1 mov */", -ENOENT, "no function cha");
    expect_check(__LINE__, "/* xb-loop: tep: 1 vfmadd */", -ENOENT, "was it inlined?");
}

XB_TEST(LoopRules, TheLoopWithMostClaimsIsShown)
{
    char *said = NULL;
    XB_EXPECT_EQ(check("/* xb-loop: chase: 4 mov \\(%r; 1 vfmadd */", &said), -EBADMSG);
    XB_EXPECT_HAS(said, "80: mov (%rsi),%rax");
    XB_EXPECT_HAS(said, "a0: jne 80 <chase+0x10>");
    XB_EXPECT_HAS(said, "holds   4 mov \\(%r: found 4");
    XB_EXPECT_HAS(said, "BROKEN  1 vfmadd: found 0");
    free(said);
}

/* ---- tags ---- */

XB_TEST(LoopTags, AreFoundWithTheirLines)
{
    struct xb_loop_tag *tags;
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(
        xb_loop_tags_read("int a;\n"
                          "/* xb-loop: one: 2+ mov .*%zmm ; 0   call */\n"
                          "/* An xb-loop tag is not meant here. xb-loop-aarch64: nor here */\n"
                          "/* xb-loop: two_avx2: 3-5 add;\n"
                          " *     1 sub %r, */\n",
                          &tags, &why),
        0);
    XB_EXPECT(tags && tags->next && !tags->next->next);
    if (xb_test_failed())
        return;
    XB_EXPECT_STREQ(tags->function, "one");
    XB_EXPECT_EQ(tags->line, 2);
    XB_EXPECT_EQ(tags->n_claims, 2);
    XB_EXPECT_EQ(tags->claim[0].least, 2);
    XB_EXPECT_EQ(tags->claim[0].most, SIZE_MAX);
    XB_EXPECT_STREQ(tags->claim[0].text, "2+ mov .*%zmm");
    XB_EXPECT_EQ(tags->claim[1].most, 0);
    XB_EXPECT_STREQ(tags->next->function, "two_avx2");
    XB_EXPECT_EQ(tags->next->line, 4);
    XB_EXPECT_EQ(tags->next->n_claims, 2);
    XB_EXPECT_EQ(tags->next->claim[0].least, 3);
    XB_EXPECT_EQ(tags->next->claim[0].most, 5);
    XB_EXPECT_STREQ(tags->next->claim[1].text, "1 sub %r,");
    xb_loop_tags_close(tags);
}

XB_TEST(LoopTags, MalformedOnesNameTheirLine)
{
    static const struct {
        const char *source, *why;
    } table[] = {
        { "\n\n/* xb-loop: no claims */", "line 3: no 'function:'" },
        { "/* xb-loop: : 1 mov */", "'' is no function's name" },
        { "/* xb-loop: a function: 1 mov */", "'a function' is no function's name" },
        { "/* xb-loop: f: */", "'' is not COUNT REGEX" },
        { "/* xb-loop: f: 0 call */", "line 1: an empty loop would do" },
        { "/* xb-loop: f: mov */", "'mov' is not COUNT REGEX" },
        { "/* xb-loop: f: 1 */", "'1' is not COUNT REGEX" },
        { "/* xb-loop: f: 1mov */", "is not COUNT REGEX" },
        { "/* xb-loop: f: 3-2 mov */", "is not COUNT REGEX" },
        { "/* xb-loop: f: 3- mov */", "is not COUNT REGEX" },
        { "/* xb-loop: f: 1 mov;; 1 add */", "'' is not COUNT REGEX" },
        { "/* xb-loop: f: 1 mov; */", "'' is not COUNT REGEX" },
        { "/* xb-loop: f: 0+ mov */", "holds for any loop" },
        { "/* xb-loop: f: 1 mov (%rax */", "line 1: 'mov (%rax'" },
        { "\n// xb-loop: f: 1 mov\n", "line 2: " },
        { "/* as in xb-loop: f: 1 mov */", "does not begin a comment" },
        { "/* xb-loop: f: 1 mov \n/* other */", "does not end" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct xb_loop_tag *tags;
        struct xb_reason why = { 0 };
        int err = xb_loop_tags_read(table[i].source, &tags, &why);
        XB_EXPECT_EQ(err, -EINVAL);
        XB_EXPECT_HAS(why.text, table[i].why);
        xb_loop_tags_close(tags);
    }
}

/* ---- the kernels of this build ---- */

#ifdef __x86_64__
enum { X86_64 = true };
#else
enum { X86_64 = false };
#endif

/* A kernel's source or a header it includes, with its tags. */
struct file {
    char path[256]; /* below the source tree */
    struct xb_loop_tag *tags;
    struct file *next;
};

/* NULL, and reported, when it cannot be read. Free it. */
static char *read_source(const char *path)
{
    char *text = NULL, full[1024];
    size_t bytes = 0;
    snprintf(full, sizeof full, "%s/%s", XB_SOURCE_DIR, path);
    FILE *in = fopen(full, "re"), *out = in ? open_memstream(&text, &bytes) : NULL;
    if (!out)
        XB_FAIL("%s: %s", full, strerror(errno));
    for (int c; out && (c = getc(in)) != EOF;)
        putc(c, out);
    if (out)
        fclose(out);
    if (in)
        fclose(in);
    return text;
}

/* Adds the file, unless it is there, and those it includes. A kernel includes nothing but
 * kernels/<name>.h, see scripts/check-layers.sh. Tags that are none are reported. */
static void gather(struct file **files, const char *path)
{
    struct xb_reason why = { 0 };
    struct file **end = files;
    for (; *end; end = &(*end)->next)
        if (strcmp((*end)->path, path) == 0)
            return;
    struct file *file = *end = calloc(1, sizeof *file);
    char *source = file ? read_source(path) : NULL;
    if (!source)
        return;
    snprintf(file->path, sizeof file->path, "%s", path);
    if (xb_loop_tags_read(source, &file->tags, &why) != 0)
        XB_FAIL("%s: %s", path, why.text);
    char *save = NULL, name[128], header[160];
    for (char *line = strtok_r(source, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (sscanf(line, " # include \"%127[^\"]\"", name) != 1)
            continue;
        const char *base = strrchr(name, '/');
        snprintf(header, sizeof header, "kernels/%s", base ? base + 1 : name);
        gather(files, header);
    }
    free(source);
}

static void close_files(struct file *files)
{
    while (files) {
        struct file *next = files->next;
        xb_loop_tags_close(files->tags);
        free(files);
        files = next;
    }
}

/* The object file of a source, from the list that the build wrote. */
static bool find_object(const char *path, char *object, size_t room)
{
    char line[1024], end[272];
    int length = snprintf(end, sizeof end, "/%s.o\n", path);
    bool found = false;
    FILE *list = fopen(XB_TEST_OBJECTS, "re");
    while (list && !found && fgets(line, sizeof line, list)) {
        size_t n = strlen(line);
        found = n > (size_t)length && strcmp(line + n - (size_t)length, end) == 0;
    }
    if (found)
        snprintf(object, room, "%.*s", (int)strcspn(line, "\n"), line);
    else
        XB_FAIL("%s has no object file in %s", path, XB_TEST_OBJECTS);
    if (list)
        fclose(list);
    return found;
}

/* False, and reported or skipped with the reason, when the object cannot be disassembled. */
static bool disassemble(const char *object, struct xb_code *code)
{
    int ends[2], status = 0;
    if (pipe(ends) != 0) {
        XB_FAIL("pipe: %s", strerror(errno));
        return false;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        setenv("LC_ALL", "C", 1);
        execlp("objdump", "objdump", "-d", "--no-show-raw-insn", "-M", "att", object, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    int err = xb_code_read(code, in);
    fclose(in);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        XB_FAIL("cannot run objdump: %s", strerror(errno));
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        XB_SKIP("there is no objdump; install binutils");
    else if (err || status)
        XB_FAIL("objdump of %s: %s, status %d", object, strerror(-err), status);
    else
        return true;
    return false;
}

/* Every tag must hold, those of headers as well: one that names a function which this kernel lacks
 * would look like a check and be none. */
static void check_all(const struct file *files, const char *object)
{
    struct xb_code code = { 0 };
    if (disassemble(object, &code))
        for (const struct file *file = files; file; file = file->next)
            for (const struct xb_loop_tag *tag = file->tags; tag; tag = tag->next) {
                char *said = NULL;
                size_t bytes = 0;
                FILE *say = open_memstream(&said, &bytes);
                int err = xb_loop_check(tag, &code, say);
                fclose(say);
                if (err)
                    XB_FAIL("%s:%d: in %s\n%s", file->path, tag->line, object, said);
                free(said);
            }
    xb_code_close(&code);
}

static void hot_loop_survived(const void *argument)
{
    const struct xb_kernel *kernel = argument;
    char path[256], object[1024];
    size_t n = 0;
    struct file *files = NULL;
    snprintf(path, sizeof path, "kernels/%s.c", kernel->name);
    gather(&files, path);
    for (const struct file *file = files; file; file = file->next)
        n += file->tags != NULL;
    if (n == 0)
        XB_FAIL("neither %s nor a header it includes says what its hot loop holds; add a comment "
                "near the loop such as\n    /* xb-loop: run: 4+ vpaddq .*%%ymm; 0 \\(%%rsp\\) */\n"
                "for each function with a hot loop; harness/README.md, \"What a loop holds\"",
                path);
    if (!xb_test_failed()) {
        if (!X86_64)
            XB_SKIP("tags are about x86-64 instructions");
        else if (XB_TEST_OTHER_LOOPS[0])
            XB_SKIP("built with %s, kernels hold other loops than those measured",
                    XB_TEST_OTHER_LOOPS);
        else if (find_object(path, object, sizeof object))
            check_all(files, object);
    }
    close_files(files);
}

XB_TESTS(of_all_loops)
{
    for (size_t i = 0; i < xb_builtin.n_kernels; i++) {
        const struct xb_kernel *kernel = xb_builtin.kernels[i];
        char name[64];
        if (kernel->bound != XB_CLASS_CPU && kernel->bound != XB_CLASS_CACHE &&
            kernel->bound != XB_CLASS_MEMORY)
            continue;
        snprintf(name, sizeof name, "%s", kernel->name);
        for (char *c = name; *c; c++)
            if (*c == '/')
                *c = '_';
        xb_test_add("Loop", name, __FILE__, __LINE__, hot_loop_survived, kernel);
    }
}
