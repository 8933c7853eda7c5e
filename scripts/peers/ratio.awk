# Turns pairs of readings into ratios with their interval and a verdict; prints peers.csv.
#
#     awk -f scripts/csv.awk -f scripts/peers/ratio.awk [-v only=FIGURE] [-v remark=TEXT] \
#         RUN/peers-pairs.csv
#
# A pair's ratio is at least 1 where ours is as good as the peer or better. The figure's is their
# median, between two order statistics that enclose it with 95 % (David and Nagaraja, Order
# Statistics, 3rd ed., 2003, section 7.1, as in harness/stats/median.c); `level` says with how much,
# as few pairs leave no choice: 98.44 % with 7, and with 5 the whole range has only 93.75 %.

function choose_order(n,    k, term, below) {
    term = 0.5 ^ n
    for (k = 0; k < n / 2; k++) {
        below += term
        if (below > 0.025)
            break
        enclosed = 1 - 2 * below
        term *= (n - k) / (k + 1)
    }
    if (k == 0)
        enclosed = 1 - 2 * 0.5 ^ n
    return k > 0 ? k : 1
}

function csv_field(text) {
    if (text ~ /[",]/) {
        gsub(/"/, "\"\"", text)
        return "\"" text "\""
    }
    return text
}

function print_figure(name,    i, n, k, list, ratio, lo, hi, verdict) {
    n = count[name]
    for (i = 1; i <= n; i++)
        list[i] = ratios[name, i]
    ratio = median(list, n)
    k = choose_order(n)
    lo = list[k]
    hi = list[n + 1 - k]
    least = floors[name]
    most = ceilings[name]
    if (ratio >= least && (most == "" || ratio <= most))
        verdict = "met"
    else if (hi < least || (most != "" && lo > most))
        verdict = "missed"
    else
        verdict = "unclear"
    for (i = 1; i <= n; i++)
        list[i] = our[name, i]
    ours = median(list, n)
    for (i = 1; i <= n; i++)
        list[i] = their[name, i]
    peer = median(list, n)
    printf "%s,%s,%.6g,%s,%.6g,%d,%.6f,%.6f,%.6f,%.2f,%s,%s,%.4f,%s,%s\n", head[name],
        ours_what[name], ours, peer_what[name], peer, n, ratio, lo, hi, 100 * enclosed, least,
        most, steal[name] / n, verdict, csv_field(remark)
}

only == "" || field("figure") == only {
    name = field("figure")
    if (!(name in count)) {
        names[++figures] = name
        head[name] = "1," csv_field(name) "," csv_field(field("unit")) "," field("better") "," \
            field("cpus") "," field("bytes")
    }
    i = ++count[name]
    our[name, i] = number("ours")
    their[name, i] = number("peer")
    ratios[name, i] = field("better") == "higher" ? number("ours") / number("peer") : \
        number("peer") / number("ours")
    floors[name] = number("floor")
    ceilings[name] = number("ceiling")
    ours_what[name] = csv_field(field("ours_what"))
    peer_what[name] = csv_field(field("peer_what"))
    steal[name] += number("steal")
}

END {
    printf "schema,figure,unit,better,cpus,bytes,ours_what,ours,peer_what,peer,pairs,ratio,ratio_lo," \
        "ratio_hi,level,floor,ceiling,steal,verdict,reason\n"
    for (f = 1; f <= figures; f++)
        print_figure(names[f])
}
