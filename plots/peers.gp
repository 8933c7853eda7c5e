# Sets each figure beside the best specialist's: ratios of 1 and more are as good.
# needs: peers.csv

# One row per figure in the order of the file; those that were skipped come last, with their reason.
$program << AWK
field("figure") == "" { next }
field("verdict") == "skipped" {
    absent[++skips] = field("figure") "\t" field("reason")
    next
}
positive("ratio") != "" {
    row++
    lo = positive("ratio_lo")
    hi = positive("ratio_hi")
    printf "%d\t%s\t%s\t%s\t%s\t%s\n", row, cell(number("ratio")), cell(lo), cell(hi),
        field("verdict"), field("steal") > "points"
    printf "%d\t%s\n", row, cell(positive("floor")) > "bounds"
    printf "%d\t%s\n", row, cell(positive("ceiling")) > "bounds"
    printf "%d\t%s\t%.3f\t%s\t%s\n", row, field("figure"), number("ratio"),
        three(number("ours")) "  against  " three(number("peer")) " " field("unit"),
        field("peer_what") > "rows"
    if (low == "" || lo < low) low = lo
    if (hi > high) high = hi
    verdicts[field("verdict")]++
    pairs[number("pairs")] = 1
}

function three(value) {
    return value >= 100 ? sprintf("%.0f", value) : sprintf("%.3g", value)
}

END {
    for (i = 1; i <= skips; i++) {
        split(absent[i], part, "\t")
        printf "%d\t%s\tskipped: %s\n", row + i, part[1], part[2] > "skips"
    }
    print "NaN\tx\tx" > "skips"
    print "NaN\tNaN\tNaN\tNaN\tx\tx" > "points"
    print "NaN\tNaN" > "bounds"
    print "NaN\tx\tx\tx\tx" > "rows"
    for (n in pairs)
        number_of_pairs = number_of_pairs (number_of_pairs == "" ? "" : " or ") n
    print "shown = " row + 0
    print "skips = " skips + 0
    # The line at 1 is always part of the chart.
    print "low = " real(low == "" || low > 1 ? 1 : low)
    print "high = " real(high == "" || high < 1 ? 1 : high)
    print "pairs = " quoted(number_of_pairs)
    print "met = " verdicts["met"] + 0
    print "unclear = " verdicts["unclear"] + 0
    print "missed = " verdicts["missed"] + 0
}
AWK
set print "peers.awk"
print $program
set print
load tidy("peers.awk", "run/peers.csv")

heading = "Beside the specialists: xbound's figure relative to the best peer's"
if (shown + skips == 0) {
    why = "no figure in peers.csv"
    eval empty_chart
    exit
}
remark = "Median ratio of ".pairs." interleaved pairs on the same CPUs, with its interval. ". \
    "Where less is better, peer ÷ ours."
pitch = 21
height = 116 + (shown + skips) * pitch + 96
eval open_chart

verdict_colour(name) = name eq "met" ? 0x009E73 : name eq "missed" ? 0xD55E00 : 0xE69F00
verdict_shape(name) = name eq "met" ? 7 : name eq "missed" ? 5 : 9
array counts[3] = [met, unclear, missed]
do for [k = 1:3] {
    item = word("met unclear missed", k)
    item_shape = verdict_shape(item)
    item_colour = verdict_colour(item)
    item = sprintf("%s: %d", item, counts[k])
    eval legend_item
}
legend_x = legend_x + 20
set arrow 8100 from screen across(legend_x), down(legend_y - 7) \
    to screen across(legend_x), down(legend_y + 7) nohead lc rgb ink lw 2
legend_x = legend_x + 10
item = "what was aimed at"
eval legend_text

plot_left = 190
plot_right = 590
plot_top = 116
plot_bottom = plot_top + (shown + skips) * pitch
below = "ratio (1: as good as the peer)"
eval place_plot
# What lies far outside would squeeze the rest: it stands at the edge, its number beside it.
step = 0.1
low_edge = low < 0.6 ? 0.58 : low - 0.03
high_edge = high > 1.4 ? 1.42 : high + 0.03
if (low > 0.9 && high < 1.1) {
    step = 0.02
    low_edge = low > 0.97 ? 0.965 : low - 0.005
    high_edge = high < 1.03 ? 1.035 : high + 0.005
}
edge(ratio) = ratio < low_edge ? low_edge : ratio > high_edge ? high_edge : ratio
# The columns of text are part of the plot, to the right of its axis: labels outside are not drawn.
at(pixels) = low_edge + (pixels - plot_left) / (1. * (plot_right - plot_left)) * \
    (high_edge - low_edge)
set rmargin at screen across(1190)
set xrange [low_edge : at(1190)]
set yrange [shown + skips + 0.5 : 0.5]
set xtics nomirror scale 0.5 ceil(low_edge / step) * step, step, high_edge format "%.2f" \
    textcolor rgb ink
set grid xtics back ls 100
unset ytics
set border 0
set arrow 2 from low_edge, graph 0 to high_edge, graph 0 nohead lc rgb grey
set arrow 1 from 1, graph 0 to 1, graph 1 nohead lc rgb ink lw 1.2 back
plot "bounds" using (edge($2)):($1 - 0.36):(0):(0.72) with vectors nohead lw 2 lc rgb ink, \
    "points" using (edge($3)):1:(edge($4) - edge($3)):(0):(verdict_colour(strcol(5))) \
        with vectors nohead lw 3 lc rgb variable, \
    "points" using (edge($2)):1:(verdict_shape(strcol(5))):(verdict_colour(strcol(5))) \
        with points pt variable ps mark(1.25) lw 1.5 lc rgb variable, \
    "rows" using (low_edge):1:2 with labels right offset -1, 0 font face(11) textcolor rgb ink, \
    "rows" using (at(612)):1:3 with labels left font face(11) textcolor rgb ink, \
    "rows" using (at(674)):1:4 with labels left font face(10) textcolor rgb ink, \
    "rows" using (at(900)):1:5 with labels left font face(10) textcolor rgb grey, \
    "skips" using (low_edge):1:2 with labels right offset -1, 0 font face(11) textcolor rgb grey, \
    "skips" using (at(612)):1:(shorten(strcol(3), 84)) with labels left font face(10) textcolor rgb grey
