/* SPDX-License-Identifier: BSD-3-Clause
 * Reads tags and disassemblies, and holds the loops of the one to the claims of the other. */
#include "loops.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* In two pieces, or this file would be one that has a tag. */
#define MARK  \
    "xb-loop" \
    ":"

/* Runs of blanks become one, those at the ends none, in place. Also gone are the line breaks and
 * stars of a comment over several lines. */
static char *squeeze(char *text)
{
    char *to = text;
    bool fresh = false; /* a line has begun, and only blanks came since */
    for (const char *from = text; *from; from++) {
        if (isspace((unsigned char)*from)) {
            fresh |= *from == '\n';
            if (to > text && to[-1] != ' ')
                *to++ = ' ';
        } else if (fresh && *from == '*') {
            fresh = false;
        } else {
            fresh = false;
            *to++ = *from;
        }
    }
    if (to > text && to[-1] == ' ')
        to--;
    *to = '\0';
    return text;
}

/* ---- tags ---- */

/* "14+", "2-3" or "0", and then a blank. Returns what follows, or NULL. */
static const char *read_count(const char *text, size_t *least, size_t *most)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return NULL;
    *least = *most = strtoul(text, &end, 10);
    if (*end == '+') {
        *most = SIZE_MAX;
        end++;
    } else if (*end == '-') {
        if (!isdigit((unsigned char)end[1]))
            return NULL;
        *most = strtoul(end + 1, &end, 10);
    }
    return *end == ' ' && end[1] && *most >= *least ? end + 1 : NULL;
}

static int read_claim(char *text, struct xb_loop_tag *tag, struct xb_reason *why)
{
    if (tag->n_claims == XB_LOOP_CLAIMS)
        return xb_because(why, -EINVAL, "line %d: more than %d claims", tag->line, XB_LOOP_CLAIMS);
    struct xb_loop_claim *claim = &tag->claim[tag->n_claims];
    claim->text = squeeze(text);
    const char *pattern = read_count(claim->text, &claim->least, &claim->most);
    if (!pattern)
        return xb_because(why, -EINVAL, "line %d: '%s' is not COUNT REGEX, COUNT as N, N+ or N-M",
                          tag->line, claim->text);
    if (claim->most == SIZE_MAX && claim->least == 0)
        return xb_because(why, -EINVAL, "line %d: '%s' holds for any loop", tag->line, claim->text);
    int err = regcomp(&claim->pattern, pattern, REG_EXTENDED | REG_NOSUB);
    if (err) {
        char text_of[120];
        regerror(err, &claim->pattern, text_of, sizeof text_of);
        return xb_because(why, -EINVAL, "line %d: '%s': %s", tag->line, pattern, text_of);
    }
    tag->n_claims++;
    return 0;
}

/* `tag->text` is what stands between the mark and the end of the comment. */
static int read_tag(struct xb_loop_tag *tag, struct xb_reason *why)
{
    char *colon = strchr(tag->text, ':');
    if (!colon)
        return xb_because(why, -EINVAL, "line %d: no 'function:' before the claims", tag->line);
    *colon = '\0';
    tag->function = squeeze(tag->text);
    if (!*tag->function || strpbrk(tag->function, " ;+"))
        return xb_because(why, -EINVAL, "line %d: '%s' is no function's name", tag->line,
                          tag->function);
    for (char *rest = colon + 1, *claim; (claim = strsep(&rest, ";"));) {
        int err = read_claim(claim, tag, why);
        if (err)
            return err;
    }
    for (size_t i = 0; i < tag->n_claims; i++)
        if (tag->claim[i].least > 0)
            return 0;
    return xb_because(why, -EINVAL, "line %d: an empty loop would do as well", tag->line);
}

int xb_loop_tags_read(const char *source, struct xb_loop_tag **tags, struct xb_reason *why)
{
    struct xb_loop_tag **end = tags;
    *tags = NULL;
    int line = 1;
    const char *at = source;
    for (const char *mark; (mark = strstr(at, MARK)); at = mark + strlen(MARK)) {
        for (; at < mark; at++)
            line += *at == '\n';
        const char *stop = strstr(mark, "*/"), *other = strstr(mark, "/*");
        if (mark - source < 3 || strncmp(mark - 3, "/* ", 3) != 0)
            return xb_because(why, -EINVAL, "line %d: " MARK " does not begin a comment", line);
        if (!stop || (other && other < stop))
            return xb_because(why, -EINVAL, "line %d: the comment does not end", line);
        struct xb_loop_tag *tag = *end = calloc(1, sizeof *tag);
        if (!tag)
            return xb_because(why, -ENOMEM, "no memory for a tag");
        end = &tag->next;
        tag->line = line;
        tag->text = strndup(mark + strlen(MARK), (size_t)(stop - mark) - strlen(MARK));
        if (!tag->text)
            return xb_because(why, -ENOMEM, "no memory for a tag");
        int err = read_tag(tag, why);
        if (err)
            return err;
    }
    return 0;
}

void xb_loop_tags_close(struct xb_loop_tag *tags)
{
    while (tags) {
        struct xb_loop_tag *next = tags->next;
        for (size_t i = 0; i < tags->n_claims; i++)
            regfree(&tags->claim[i].pattern);
        free(tags->text);
        free(tags);
        tags = next;
    }
}

/* ---- disassembly ---- */

/* "jne c0 <run+0x80>" goes to c0. An indirect jump, "jmp *%rax", has no target that can be read,
 * and a call comes back. */
static uint64_t target_of(const char *text)
{
    if (strncmp(text, "bnd ", 4) == 0)
        text += 4;
    const char *operand = strchr(text, ' ');
    if ((text[0] != 'j' && strncmp(text, "loop", 4) != 0) || !operand)
        return UINT64_MAX;
    char *end;
    uint64_t target = strtoull(operand + 1, &end, 16);
    return end != operand + 1 && strncmp(end, " <", 2) == 0 ? target : UINT64_MAX;
}

int xb_code_read(struct xb_code *code, FILE *in)
{
    *code = (struct xb_code){ 0 };
    size_t bytes = 0, lines = 1;
    FILE *all = open_memstream(&code->text, &bytes);
    if (!all)
        return -ENOMEM;
    for (int c; (c = getc(in)) != EOF; lines += c == '\n')
        putc(c, all);
    if (fclose(all) != 0)
        return -ENOMEM;
    code->instruction = calloc(lines, sizeof *code->instruction);
    if (!code->instruction)
        return -ENOMEM;

    const char *function = NULL;
    char *save = NULL;
    for (char *line = strtok_r(code->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *end;
        uint64_t at = strtoull(line, &end, 16);
        size_t length = strlen(line);
        if (end == line)
            continue;
        if (strncmp(end, " <", 2) == 0 && length > 2 && strcmp(line + length - 2, ">:") == 0) {
            line[length - 2] = '\0';
            function = end + 2;
        } else if (function && end[0] == ':' && end[1] == '\t') {
            const char *text = squeeze(end + 2);
            code->instruction[code->n++] = (struct xb_instruction){
                .at = at,
                .target = target_of(text),
                .text = text,
                .function = function,
            };
        }
    }
    return 0;
}

void xb_code_close(struct xb_code *code)
{
    free(code->instruction);
    free(code->text);
    *code = (struct xb_code){ 0 };
}

/* ---- loops ---- */

/* The instructions from a jump back's target to the jump, less those that no round passes, such as
 * blocks which the compiler put there although they leave. */
struct loop {
    const struct xb_instruction *first;
    size_t n;
    bool *in; /* whether first[i] belongs to it */
};

/* The instruction in the same function, at `jump` or before it, that it goes to; or NULL. */
static const struct xb_instruction *back(const struct xb_code *code,
                                         const struct xb_instruction *jump)
{
    const struct xb_instruction *to = jump;
    if (jump->target > jump->at)
        return NULL;
    while (to > code->instruction && to->at > jump->target && to[-1].function == jump->function)
        to--;
    return to->at == jump->target ? to : NULL;
}

/* Whether the instruction that follows may be the next one. */
static bool goes_on(const char *text)
{
    static const char *const prefixes[] = { "bnd ", "notrack ", "repz " };
    static const char *const ends[] = { "jmp", "ret", "ud2", "hlt" };
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
            text += strlen(prefixes[i]);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (strncmp(text, ends[i], strlen(ends[i])) == 0)
            return false;
    return true;
}

/* An indirect jump may go anywhere. */
static bool may_follow(const struct xb_instruction *next, const struct xb_instruction *at)
{
    return next->at == at->target || (next == at + 1 && goes_on(at->text)) ||
           strstr(at->text, "jmp *");
}

/* Marks, in `mark`, what can be reached from a marked one; or `backward`, from where one can. */
static void spread(const struct loop *loop, bool *mark, bool backward)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < loop->n; i++)
            for (size_t k = 0; k < loop->n && mark[i]; k++) {
                const struct xb_instruction *at = &loop->first[i], *other = &loop->first[k];
                if (!mark[k] && (backward ? may_follow(at, other) : may_follow(other, at)))
                    mark[k] = more = true;
            }
    }
}

/* Finds the loop that `jump` closes. False where it closes none: a block that stands behind the
 * rest of its function jumps back as well, but only once. Free loop->in if true. */
static bool trace(const struct xb_code *code, const struct xb_instruction *jump, struct loop *loop)
{
    *loop = (struct loop){ .first = back(code, jump) };
    if (!loop->first)
        return false;
    loop->n = (size_t)(jump - loop->first) + 1;
    loop->in = calloc(2 * loop->n, sizeof *loop->in);
    if (!loop->in)
        return false;
    bool *to_jump = loop->in + loop->n;
    loop->in[0] = to_jump[loop->n - 1] = true;
    spread(loop, loop->in, false);
    spread(loop, to_jump, true);
    for (size_t i = 0; i < loop->n; i++)
        loop->in[i] &= to_jump[i];
    if (loop->in[0])
        return true;
    free(loop->in);
    return false;
}

/* Whether the loop encloses no other. Two jumps to the same place are one loop that is continued
 * in two ways; a jump from inside to before the loop leaves it for the one around it. */
static bool innermost(const struct xb_code *code, const struct loop *loop)
{
    for (size_t i = 0; i + 1 < loop->n; i++) {
        struct loop inner;
        if (!loop->in[i] || !trace(code, &loop->first[i], &inner))
            continue;
        free(inner.in);
        if (inner.first > loop->first)
            return false;
    }
    return true;
}

/* The name itself, or that of a copy the compiler made: run, run.constprop.0, run.part.0.cold. */
static bool is_function(const char *symbol, const char *name)
{
    size_t length = strlen(name);
    return strncmp(symbol, name, length) == 0 && (symbol[length] == '\0' || symbol[length] == '.');
}

static size_t count(const struct loop *loop, const struct xb_loop_claim *claim)
{
    size_t n = 0;
    for (size_t i = 0; i < loop->n; i++)
        n += loop->in[i] && regexec(&claim->pattern, loop->first[i].text, 0, NULL, 0) == 0;
    return n;
}

static bool holds(const struct loop *loop, const struct xb_loop_claim *claim)
{
    size_t n = count(loop, claim);
    return n >= claim->least && n <= claim->most;
}

static size_t holding(const struct loop *loop, const struct xb_loop_tag *tag)
{
    size_t n = 0;
    for (size_t i = 0; i < tag->n_claims; i++)
        n += holds(loop, &tag->claim[i]);
    return n;
}

static void describe(const struct xb_loop_tag *tag, const struct loop *loop, FILE *say)
{
    fprintf(say, "no innermost loop of %s holds all that line %d claims; closest is\n",
            tag->function, tag->line);
    for (size_t i = 0; i < loop->n; i++)
        if (loop->in[i])
            fprintf(say, "    %6llx: %s\n", (unsigned long long)loop->first[i].at,
                    loop->first[i].text);
    for (size_t i = 0; i < tag->n_claims; i++)
        fprintf(say, "  %s  %s: found %zu\n", holds(loop, &tag->claim[i]) ? "holds " : "BROKEN",
                tag->claim[i].text, count(loop, &tag->claim[i]));
}

int xb_loop_check(const struct xb_loop_tag *tag, const struct xb_code *code, FILE *say)
{
    bool found = false;
    struct loop closest = { 0 };
    size_t best = 0; /* claims that hold for it */
    for (size_t k = 0; k < code->n && best < tag->n_claims; k++) {
        struct loop loop;
        if (!is_function(code->instruction[k].function, tag->function))
            continue;
        found = true;
        if (!trace(code, &code->instruction[k], &loop))
            continue;
        /* Of two that are as close, the longer is more likely to be the one that is meant. */
        size_t n = holding(&loop, tag);
        if (innermost(code, &loop) && (n > best || (n == best && loop.n > closest.n))) {
            free(closest.in);
            closest = loop;
            best = n;
        } else {
            free(loop.in);
        }
    }
    bool holds_all = best == tag->n_claims;
    if (!found)
        fprintf(say, "line %d: there is no function %s in the object file; was it inlined?\n",
                tag->line, tag->function);
    else if (!closest.in)
        fprintf(say, "%s has no loop at all, and line %d claims one\n", tag->function, tag->line);
    else if (!holds_all)
        describe(tag, &closest, say);
    free(closest.in);
    return holds_all ? 0 : found ? -EBADMSG : -ENOENT;
}
