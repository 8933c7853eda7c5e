# How often was `xbound classify` right? Reads a programs.csv of classify-programs.sh through csv.awk,
# and of it only the programs of the origins in `only`, where that is set.
#
# Intervals are Wilson's at 95 %: E. B. Wilson, "Probable inference, the law of succession, and
# statistical inference", Journal of the American Statistical Association 22 (1927). They hold for
# programs drawn at random from those of such a kind, which these are not: they were chosen.

BEGIN {
    classes = "cpu cache memory io sync kernel mixed"
    answers = classes " unknown failed"
}

function wilson(hits, n,    z, p, middle, half) {
    if (!n)
        return "none"
    z = 1.959964
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return sprintf("%3d of %3d = %5.1f %% [%.1f, %.1f]", hits, n, 100 * p, 100 * (hits ? middle - half : 0),
        100 * (hits < n ? middle + half : 1))
}

function line(what, hits, n) { printf "  %-36s %s\n", what, wilson(hits, n) }

function shares(    text, i, name, k) {
    k = split(classes, name, " ")
    for (i = 1; i < k; i++)
        if (number("share_" name[i]) != "" && number("share_" name[i]) >= 0.005)
            text = text sprintf(" %s %.2f", name[i], number("share_" name[i]))
    return text
}

only != "" && !index(" " only " ", " " field("origin") " ") { next }

{
    half = field("half")
    verdict = field("verdict")
    halves[half] = any = 1
}

verdict == "skipped" {
    left_out[half] = left_out[half] sprintf("  %-18s %s\n", field("name"), field("reason"))
    n_left_out[half]++
    next
}

{
    class = field("class")
    got = field("got") == "" ? "failed" : field("got")
    n[half]++
    count[half, verdict]++
    confused[half, class, got]++
    of_class[half, class]++
    right_of_class[half, class] += verdict == "ok"
    of_origin[half, field("origin")]++
    right_of_origin[half, field("origin")] += verdict == "ok"
    lenient_of_origin[half, field("origin")] += verdict == "ok" || verdict == "accept"
    if (verdict == "ok" && field("level") != "") {
        levels[half]++
        right_levels[half] += field("got_level") == field("level")
    }
    # Was it sure of what it said where it was wrong?
    if (number("confidence") != "" && number("confidence") >= 0.8) {
        sure[half]++
        sure_right[half] += verdict == "ok" || verdict == "accept"
    }
    if (verdict != "ok")
        missed[half] = missed[half] sprintf("  %-18s %-6s %s, not %s%s%s:%s\n    %s\n", field("name"), verdict,
            got, class, field("accept") == "" ? "" : " (or " field("accept") ")",
            number("confidence") == "" ? "" : sprintf(", confidence %.2f", number("confidence")),
            got == "failed" ? " " field("reason") : shares(), field("why"))
}

END {
    if (only != "" && !any)
        printf "no program of origin '%s'\n", only
    for (h = split("tune report", order, " "); h > 0; h--)
        if (order[h] in halves)
            report(order[h])
}

function report(half,    i, k, m, name, answer, text) {
    printf "half '%s': %s run, %d skipped\n", half, plural(n[half] + 0, "program"), n_left_out[half]
    if (n[half]) {
        line("the class expected", count[half, "ok"], n[half])
        line("or one that can be argued", count[half, "ok"] + count[half, "accept"], n[half])
        line("no decision (mixed, unknown, failed)", count[half, "mixed"] + count[half, "failed"], n[half])
        line("gross (cpu for memory or io, or back)", count[half, "gross"], n[half])
        line("level, of those right with one", right_levels[half], levels[half])
        line("right or arguable when sure (>= 0.8)", sure_right[half], sure[half])
        for (i = split("round3 round2 new prototype", name, " "); i > 0; i--) {
            if (!of_origin[half, name[i]])
                continue
            line("expected, of " name[i] " programs", right_of_origin[half, name[i]],
                of_origin[half, name[i]])
            line("or arguable, of " name[i] " programs", lenient_of_origin[half, name[i]],
                of_origin[half, name[i]])
        }
        k = split(classes, name, " ")
        m = split(answers, answer, " ")
        printf "\n  %-10s", "expected"
        for (i = 1; i <= m; i++)
            printf " %7s", answer[i]
        printf "   right\n"
        for (c = 1; c <= k; c++) {
            if (!of_class[half, name[c]])
                continue
            printf "  %-10s", name[c]
            for (i = 1; i <= m; i++)
                printf " %7s", confused[half, name[c], answer[i]] ? confused[half, name[c], answer[i]] : "."
            printf "   %s\n", wilson(right_of_class[half, name[c]], of_class[half, name[c]])
        }
    }
    if (missed[half] != "")
        printf "\nnot the class expected:\n%s", missed[half]
    if (left_out[half] != "")
        printf "\nskipped, and not counted:\n%s", left_out[half]
    print ""
}
