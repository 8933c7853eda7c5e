# What changed between two builds: each kernel's change in time, its 95 % interval and its verdict.
# needs: verdicts.csv

# By class and name, top down; those without an interval (UNCHANGED, or on one side only) are words.
$program << AWK
BEGIN {
    classes = split("cpu cache memory io sync", name_of_class, " ")
    for (i = 1; i <= classes; i++)
        standing[name_of_class[i]] = i
}
{
    n++
    key[n] = (field("class") in standing ? standing[field("class")] : 9) " " field("kernel")
    kernel[n] = field("kernel")
    verdict[n] = field("verdict")
    ratio[n] = positive("ratio")
    lo[n] = positive("ratio_lo")
    hi[n] = positive("ratio_hi")
    note[n] = field("blocks") " blocks, " field("time")
    if (ratio[n] == "")
        note[n] = field("reason")
    margin = number("margin") * 100
    least = number("min_effect") * 100
    order[n] = n
}

function percent(value) {
    return value == "" ? "" : (value - 1) * 100
}

END {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && key[order[j]] < key[order[j - 1]]; j--) {
            kept = order[j]
            order[j] = order[j - 1]
            order[j - 1] = kept
        }
    for (i = 1; i <= n; i++) {
        r = order[i]
        word = verdict[r] == "PROVEN" ? sprintf("PROVEN < %g %%", margin) : verdict[r]
        printf "%d\t%s\t%s\t%s\n", i, kernel[r], word == "" ? " " : word, note[r] > "rows"
        if (ratio[r] == "")
            continue
        verdicts[verdict[r]]++
        printf "%d\t%s\t%s\t%s\t%s\t%s\n", i, cell(percent(ratio[r])), cell(percent(lo[r])),
            cell(percent(hi[r])), verdict[r], sprintf("%+.2f  [%+.2f, %+.2f]", percent(ratio[r]),
            percent(lo[r]), percent(hi[r])) > "points"
        if (percent(hi[r]) > far) far = percent(hi[r])
        if (-percent(lo[r]) > far) far = -percent(lo[r])
    }
    print "NaN\tx\tx\tx" > "rows"
    print "NaN\tNaN\tNaN\tNaN\tx\tx" > "points"
    print "rows = " n + 0
    print "margin = " real(margin)
    print "least = " real(least)
    print "far = " real(far < margin ? margin : far)
    print "regressed = " verdicts["REGRESSED"] + 0
    print "improved = " verdicts["IMPROVED"] + 0
    print "proven = " verdicts["PROVEN"] + 0
    print "inconclusive = " verdicts["INCONCLUSIVE"] + 0
}
AWK
set print "forest.awk"
print $program
set print
load tidy("forest.awk", "run/verdicts.csv")

# A plug-in or a command has no commit, only a name.
tail_of(path) = strlen(path) <= 40 ? path : "…".path[strlen(path) - 39 : *]
side(which) = or_else(fact(which."_commit"), or_else(tail_of(fact(which."_name")), "?"))
heading = "New build against old: change in time, ".side("old")." → ".side("new")
if (rows == 0) {
    why = "no comparison in verdicts.csv"
    eval empty_chart
    exit
}
remark = sprintf("Bars: 95 %% intervals, each for its kernel alone. Grey band: less than the minimum effect of %g %%. Dashed: the margin of %g %%.", least, margin)
pitch = 21
height = 116 + rows * pitch + 96
eval open_chart

verdict_colour(name) = name eq "REGRESSED" ? 0xD55E00 : name eq "IMPROVED" ? 0x009E73 : \
    name eq "PROVEN" ? 0x0072B2 : 0xE69F00
verdict_shape(name) = name eq "REGRESSED" ? 5 : name eq "IMPROVED" ? 11 : name eq "PROVEN" ? 7 : 9
array counts[4] = [regressed, improved, proven, inconclusive]
do for [k = 1:4] {
    item = word("REGRESSED IMPROVED PROVEN INCONCLUSIVE", k)
    item_shape = verdict_shape(item)
    item_colour = verdict_colour(item)
    item = sprintf("%s: %d", item, counts[k])
    eval legend_item
}

plot_left = 190
plot_right = 660
plot_top = 116
plot_bottom = plot_top + rows * pitch
below = "time of the new build, % more than the old one's"
eval place_plot
# What lies far outside would squeeze the rest: it stands at the edge, its numbers beside it.
limit = far > 20 ? 20 : far * 1.06
step = limit > 10 ? 5 : limit > 4 ? 2 : limit > 2 ? 1 : 0.5
first_tic = -floor(limit / step) * step
edge(value) = value < -limit ? -limit : value > limit ? limit : value
# The columns of text are part of the plot, to the right of its axis: labels outside are not drawn.
at(pixels) = -limit + (pixels - plot_left) / (1. * (plot_right - plot_left)) * 2 * limit
set rmargin at screen across(1190)
set xrange [-limit : at(1190)]
set yrange [rows + 0.5 : 0.5]
set xtics nomirror scale 0.5 first_tic, step, limit format "%+g" textcolor rgb ink
set xtics add ("0" 0)
set grid xtics back ls 100
unset ytics
set border 0
set object 1 rectangle from edge(-least), graph 0 to edge(least), graph 1 \
    fc rgb 0xE8E8E8 fs solid noborder behind
set arrow 2 from -limit, graph 0 to limit, graph 0 nohead lc rgb grey
set arrow 1 from 0, graph 0 to 0, graph 1 nohead lc rgb ink lw 1.2 back
set arrow 3 from margin, graph 0 to margin, graph 1 nohead lc rgb ink dt (6, 4) lw 1.5 back
plot "points" using (edge($3)):1:(edge($4) - edge($3)):(0):(verdict_colour(strcol(5))) \
        with vectors nohead lw 3 lc rgb variable, \
    "points" using (edge($2)):1:(verdict_shape(strcol(5))):(verdict_colour(strcol(5))) \
        with points pt variable ps mark(1.25) lw 1.5 lc rgb variable, \
    "rows" using (-limit):1:2 with labels right offset -1, 0 font face(11) textcolor rgb ink, \
    "rows" using (at(682)):1:3:(strcol(3) eq "MISSING" ? verdict_colour("REGRESSED") : ink) \
        with labels left font face(11) textcolor rgb variable, \
    "points" using (at(830)):1:6 with labels left font face(10) textcolor rgb ink, \
    "rows" using (at(1030)):1:(shorten(strcol(4), 24)) with labels left font face(10) textcolor rgb grey
