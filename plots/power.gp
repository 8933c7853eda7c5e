# How sure the gate is to see a slowdown, by its size, as `xbound ab --self-test` found it here.
# needs: selftest.csv

# One panel for each kernel, in the order of classes and names.
$program << AWK
BEGIN {
    classes = split("cpu cache memory io sync", name_of_class, " ")
    for (i = 1; i <= classes; i++)
        standing[name_of_class[i]] = i
}

# The score interval (Wilson, J. Am. Stat. Assoc. 22 (1927)), 95 %: right also near 0 and all.
function bound(part, all, sign,    z, p) {
    z = 1.96
    p = part / all
    return 100 * (p + z * z / (2 * all) + sign * z * sqrt(p * (1 - p) / all + \
        z * z / (4 * all * all))) / (1 + z * z / all)
}

{
    k = field("kernel")
    if (!(k in class)) {
        keys[++count] = sprintf("%d %s", standing[field("class")] ? standing[field("class")] : 9, k)
        class[k] = field("class")
    }
    all = number("windows")
}
field("what") == "aa" {
    block_ns[k] = number("block_ns")
    false_ones[k] = number("regressed") + 0
    windows[k] = all
    alarms += number("regressed")
    comparisons += all
}
field("what") == "added" && all > 0 {
    n[k]++
    at[k, n[k]] = 100 * number("slowdown")
    found[k, n[k]] = number("regressed")
    tried[k] = all
    blocks[k] = number("blocks")
}

END {
    sort_texts(keys, count)
    print "NaN\tNaN\tNaN\tNaN\tNaN" > "points"
    for (p = 1; p <= count; p++) {
        k = substr(keys[p], 3)
        print "title_" p " = " quoted(k)
        print "class_" p " = " quoted(class[k])
        print "detail_" p " = " quoted(n[k] ? sprintf("%d blocks, %.1f s; %s", blocks[k],
            blocks[k] * block_ns[k] / 1e9, plural(tried[k], "window")) : "no window was full")
        print "false_" p " = " quoted(sprintf("same code: %d of %d", false_ones[k], windows[k]))
        print "" > "points"
        for (i = 1; i <= n[k]; i++)
            printf "%d\t%g\t%.6g\t%.6g\t%.6g\n", p, at[k, i], 100 * found[k, i] / tried[k],
                bound(found[k, i], tried[k], -1), bound(found[k, i], tried[k], 1) > "points"
    }
    print "panels = " count + 0
    print "alarms = " alarms + 0
    print "comparisons = " comparisons + 0
}
AWK
set print "power.awk"
print $program
set print
load tidy("power.awk", "run/selftest.csv")

heading = "Self-test of the gate: how many slowdowns of each size were called REGRESSED"
if (panels == 0) {
    why = "no kernel in selftest.csv"
    eval empty_chart
    exit
}
remark = sprintf("Slowdowns were added to blocks of the same code, which had %d false alarms in %d comparisons. ". \
    "Bars: 95 %% intervals. Dashed: 90 %%.", alarms, comparisons)
columns = panels < 3 ? panels : 3
rows = (panels + columns - 1) / columns
pitch = 250
height = 96 + rows * pitch + 46
eval open_chart

gap_x = 70
panel_width = (width - 30 - columns * gap_x) / columns
set multiplot
set logscale x 2
set border 3
do for [p = 1:panels] {
    column_at = (p - 1) % columns
    row_at = (p - 1) / columns
    plot_left = gap_x + column_at * (panel_width + gap_x)
    plot_right = plot_left + panel_width
    plot_top = 128 + row_at * pitch
    plot_bottom = plot_top + pitch - 96
    below = p + columns > panels ? "slowdown, %" : ""
    beside = column_at == 0 ? "REGRESSED, %" : ""
    beside_gap = 46
    eval place_plot
    colour = class_colour(value(sprintf("class_%d", p)))
    set xrange [0.8 : 12.5]
    set yrange [0 : 103]
    set xtics nomirror scale 0.5 ("1" 1, "2" 2, "5" 5, "10" 10) textcolor rgb ink
    set ytics nomirror scale 0.5 0, 25, 100 textcolor rgb ink
    set grid ytics back ls 100
    set arrow 1 from 0.8, 90 to 12.5, 90 nohead lc rgb ink dt (6, 4) lw 1 back
    set label 1 value(sprintf("title_%d", p)) at screen across(plot_left), down(plot_top - 30) \
        left font bold_face(11) textcolor rgb ink
    set label 2 value(sprintf("detail_%d", p)) at screen across(plot_left), down(plot_top - 13) \
        left font face(9) textcolor rgb grey
    set label 3 value(sprintf("false_%d", p)) at graph 0.97, graph 0.08 right font face(10) \
        textcolor rgb grey
    plot "points" using ($1 == p ? $2 : NaN):4:(0):($5 - $4) with vectors nohead lw 3 \
            lc rgb paler(colour), \
        "points" using ($1 == p ? $2 : NaN):3 with lines lw 2 lc rgb colour, \
        "points" using ($1 == p ? $2 : NaN):3 with points pt 7 ps mark(1.2) lc rgb colour
    eval forget_heading
}
unset multiplot
