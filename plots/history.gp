# Shows the history of the cells whose level changed: each run's figure, the levels, and the steps.
# needs: history.csv

# One panel per cell, those with the largest steps first, at most twelve; the others are counted.
$program << AWK
field("cell") == "" || positive("ns_per_item") == "" || positive("level") == "" { next }
{
    c = field("cell")
    if (!(c in first)) {
        cells[++count] = c
        first[c] = positive("level")
        from[c] = field("started_utc")
    }
    n++
    cell_of[n] = c
    run[n] = number("run")
    value[n] = positive("ns_per_item") / first[c]
    lo[n] = positive("ns_per_item_lo")
    hi[n] = positive("ns_per_item_hi")
    level[n] = positive("level") / first[c]
    step[n] = positive("step")
    if (step[n] != "") {
        size = log(step[n]) < 0 ? -log(step[n]) : log(step[n])
        if (size > largest[c]) largest[c] = size
        steps++
    }
    if (number("run") > last) last = number("run")
    if (begin == "" || field("started_utc") < begin) begin = field("started_utc")
    if (field("started_utc") > finish) finish = field("started_utc")
}

END {
    most = 12
    for (i = 1; i <= count; i++)
        order[i] = sprintf("%.9f %d", -largest[cells[i]], i)
    sort_numbers(order, count)
    for (i = 1; i <= count && i <= most; i++) {
        split(order[i], part, " ")
        c = cells[part[2]]
        if (steps && largest[c] == "") break
        panel[c] = ++panels
        split(c, word, "/")
        print "title_" panels " = " quoted(word[1] "/" word[2])
        rest = substr(c, length(word[1] word[2]) + 3)
        gsub(/\/(bind|depth):[^\/]*/, "", rest)
        print "detail_" panels " = " quoted(rest)
    }
    print "NaN\tNaN\tNaN\tNaN\tNaN" > "points"
    print "NaN\tNaN\tNaN\tx\tNaN" > "marks"
    for (i = 1; i <= n; i++) {
        p = panel[cell_of[i]]
        if (!p) continue
        f = first[cell_of[i]]
        # A blank line breaks the line of levels between two panels.
        if (p != before) print "" > "points"
        before = p
        printf "%d\t%d\t%.6g\t%s\t%s\t%.6g\n", p, run[i], value[i],
            cell(lo[i] == "" ? "" : lo[i] / f), cell(hi[i] == "" ? "" : hi[i] / f),
            level[i] > "points"
        if (step[i] != "")
            printf "%d\t%g\t%.6g\t%+.1f %%\t%d\n", p, run[i] - 0.5, level[i], 100 * (step[i] - 1),
                (step[i] > 1) > "marks"
        # Single outliers must not squeeze the levels: the axis follows these.
        if (!(p in low) || level[i] < low[p]) low[p] = level[i]
        if (level[i] > high[p]) high[p] = level[i]
        spread = value[i] > level[i] ? value[i] / level[i] - 1 : 1 - value[i] / level[i]
        off[p, ++offs[p]] = spread
    }
    for (p = 1; p <= panels; p++) {
        for (i = 1; i <= offs[p]; i++) list[i] = off[p, i]
        sort_numbers(list, offs[p])
        noise = list[int(offs[p] * 0.9) + (offs[p] * 0.9 < 1)] * 1.6 + 0.01
        print "low_" p " = " real(low[p] - noise)
        print "high_" p " = " real(high[p] + noise + 0.35 * (high[p] - low[p]))
    }
    print "panels = " panels + 0
    print "cells = " count + 0
    print "steps = " steps + 0
    print "last = " last + 0
    print "span = " quoted(substr(begin, 1, 10) " to " substr(finish, 1, 10))
}
AWK
set print "history.awk"
print $program
set print
load tidy("history.awk", "run/history.csv")

heading = sprintf("History: %d %s in the levels of %d cells, %s", steps, \
    steps == 1 ? "step" : "steps", cells, span)
if (panels == 0) {
    why = "no figure in history.csv"
    eval empty_chart
    exit
}
remark = "Time per item relative to the first level; the marks are steps that xbound compare ". \
    "--history found. They are for the report: they gate nothing."
columns = panels < 3 ? panels : 3
rows = (panels + columns - 1) / columns
pitch = 236
height = 128 + rows * pitch + 40
eval open_chart
item = "one run, with its interval"
item_shape = 7
item_colour = 0x3C9BD0
eval legend_item
item = "slower from here"
item_shape = 9
item_colour = 0xD55E00
eval legend_item
item = "faster from here"
item_shape = 11
item_colour = 0x009E73
eval legend_item

gap_x = 62
panel_width = (width - 24 - columns * gap_x) / columns
set multiplot
do for [p = 1:panels] {
    column_at = (p - 1) % columns
    row_at = (p - 1) / columns
    plot_left = gap_x + column_at * (panel_width + gap_x)
    plot_right = plot_left + panel_width
    plot_top = 152 + row_at * pitch
    plot_bottom = plot_top + pitch - 86
    below = p + columns > panels ? "run" : ""
    beside = ""
    eval place_plot
    bottom = value(sprintf("low_%d", p))
    top = value(sprintf("high_%d", p))
    set xrange [-0.5 : last + 0.5]
    set yrange [bottom : top]
    set xtics nomirror scale 0.5 textcolor rgb ink
    set ytics nomirror scale 0.5 format "%.2f" textcolor rgb ink
    set grid ytics back ls 100
    set label 1 value(sprintf("title_%d", p)) at screen across(plot_left), down(plot_top - 30) \
        left font bold_face(11) textcolor rgb ink
    set label 2 value(sprintf("detail_%d", p)) at screen across(plot_left), down(plot_top - 13) \
        left font face(9) textcolor rgb grey
    plot "marks" using ($1 == p ? $2 : NaN):(bottom):(0):(top - bottom): \
            ($5 == 1 ? 0xD55E00 : 0x009E73) with vectors nohead lw 1.5 lc rgb variable, \
        "points" using ($1 == p ? $2 : NaN):4:(0):($5 - $4) with vectors nohead lw 1 \
            lc rgb paler(0x3C9BD0), \
        "points" using ($1 == p ? $2 : NaN):3 with points pt 7 ps mark(0.6) lc rgb 0x3C9BD0, \
        "points" using ($1 == p ? $2 : NaN):6 with steps lw 2 lc rgb ink, \
        "marks" using ($1 == p && $2 < 0.75 * last ? $2 : NaN):(top - 0.09 * (top - bottom)):4: \
            ($5 == 1 ? 0xD55E00 : 0x009E73) with labels left offset 0.4, 0 font face(10) \
            textcolor rgb variable, \
        "marks" using ($1 == p && $2 >= 0.75 * last ? $2 : NaN):(top - 0.09 * (top - bottom)):4: \
            ($5 == 1 ? 0xD55E00 : 0x009E73) with labels right offset -0.4, 0 font face(10) \
            textcolor rgb variable, \
        "marks" using ($1 == p ? $2 : NaN):3:($5 == 1 ? 9 : 11): \
            ($5 == 1 ? 0xD55E00 : 0x009E73) with points pt variable ps mark(1.4) lc rgb variable
    eval forget_heading
    eval forget_legend
}
unset multiplot
