# Shows the latency percentiles of each I/O kernel under every model and engine.

# One panel per kernel, one row per model/engine, and in it one line for each of two worker counts:
# the CPU count (or the nearest measured) and the largest.
$program << AWK
field("class") != "io" { next }
{
    n++
    kernel[n] = field("kernel"); model[n] = model_of(); status[n] = field("status")
    pair[n] = model_of() "/" field("engine")
    workers[n] = number("workers")
    variant[n] = field("bytes_per_worker") " " field("depth") " " field("bind")
    if (measured()) {
        p50[n] = positive("lat_p50_ns"); p99[n] = positive("lat_p99_ns")
        p999[n] = positive("lat_p999_ns")
    }
    if (!(kernel[n] in known)) {
        known[kernel[n]] = 1
        list[++kernels] = kernel[n]
    }
    if (!(pair[n] in row)) {
        row[pair[n]] = 1
        order[++pairs] = pair_rank(model_of(), field("engine")) " " pair[n]
    }
    if (p50[n] != "") seen[workers[n]] = 1
    else any[workers[n]] = 1
}

function pair_of(ranked) {
    return substr(ranked, index(ranked, " ") + 1)
}

# One line of a row. Several sizes or depths: the first measured one stands for them.
function line(k, p, w, which,    i, found, word, r) {
    for (i = 1; i <= n; i++) {
        if (kernel[i] != k || pair[i] != p || workers[i] != w) continue
        if (p50[i] != "") {
            found = i
            break
        }
        if (status[i] == "skipped" || word == "")
            word = status[i] == "skipped" || status[i] == "failed" ? status[i] : "no latencies"
    }
    r = row[p]
    if (found) {
        i = found
        printf "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", k, which, r, cell(p50[i] / 1000),
            cell(p99[i] == "" ? "" : p99[i] / 1000), cell(p999[i] == "" ? "" : p999[i] / 1000),
            model[i], status[i] > "points"
        if (low[k] == "" || p50[i] < low[k]) low[k] = p50[i]
        top = p999[i] != "" ? p999[i] : p99[i] != "" ? p99[i] : p50[i]
        if (top > high[k]) high[k] = top
        shown++
        if (status[i] == "suspect") suspects++
        return ""
    }
    return word == "" ? "not run" : word
}

END {
    at = nearest_count(seen, cpus)
    if (at == "") at = nearest_count(any, cpus)
    more = at
    for (w in seen)
        if (w + 0 > more) more = w + 0
    sort_numbers(order, pairs)
    sort_texts(list, kernels)
    for (i = 1; i <= pairs; i++) {
        p = pair_of(order[i])
        row[p] = i
        print i "\t" p > "rows"
    }
    for (i = 1; i <= kernels; i++)
        for (j = 1; j <= pairs; j++) {
            p = pair_of(order[j])
            first = line(list[i], p, at, 1)
            second = more == at ? first : line(list[i], p, more, 2)
            if (first != "" && first == second)
                print list[i] "\t" j "\t" first > "words"
            else {
                if (first != "") print list[i] "\t" j - 0.2 "\t" first > "words"
                if (second != "") print list[i] "\t" j + 0.2 "\t" second > "words"
            }
        }
    print "NaN\tNaN\tx" > "words"
    print "x\tNaN\tNaN\tNaN\tNaN\tNaN\tx\tx" > "points"
    for (i = 1; i <= kernels; i++) {
        k = list[i]
        names = names (i > 1 ? " " : "") k
        lows = lows (i > 1 ? "," : "") real(low[k] == "" ? 1 : low[k] / 1000)
        highs = highs (i > 1 ? "," : "") real(high[k] == "" ? 1000 : high[k] / 1000)
    }
    print "kernels = " quoted(names)
    if (kernels) {
        print "array lows[" kernels "] = [" lows "]"
        print "array highs[" kernels "] = [" highs "]"
    }
    print "pairs = " pairs + 0
    print "shown = " shown + 0
    print "at_workers = " at + 0
    print "more_workers = " more + 0
    print "suspects = " suspects + 0
}
AWK
set print "latency.awk"
print $program
set print
load tidy("latency.awk", "run/summary.csv")

heading = "I/O latency: the median and the tail under each model and engine"
if (words(kernels) == 0) {
    why = "no I/O kernel in this run: xbound run 'io/*'"
    eval empty_chart
    exit
}
remark = "Logarithmic axes, one scale per kernel. ". \
    "No 99th percentile below 100 latencies, no 99.9th below 1000.". \
    (suspects > 0 ? " Hollow: suspect." : "")
panels = words(kernels)
columns = panels < 3 ? panels : 3
rows = (panels + columns - 1) / columns
pitch = more_workers > at_workers ? 27 : 22
panel_high = pairs * pitch < 100 ? 100 : pairs * pitch
top_at = 140
height = top_at + rows * (panel_high + 74) + 20
height = height < 340 ? 340 : height
eval open_chart

# The shapes here are percentiles; the engine is in the row's name.
item_colour = grey
shapes = "7 9 5"
texts = "median 99_% 99.9_%"
do for [k = 1:3] {
    item_shape = int(word(shapes, k))
    item = word(texts, k)
    item = item eq "99_%" ? "99 %" : item eq "99.9_%" ? "99.9 %" : item
    eval legend_item
}
legend_x = legend_x + 20
item = sprintf("%d worker%s", at_workers, at_workers == 1 ? "" : "s")
item = more_workers == at_workers ? item : \
    sprintf("strong: %s     pale, below: %d workers", item, more_workers)
eval legend_text

set multiplot
gap_x = 36
names_wide = 165
panel_width = (1200 - names_wide - 40 - (columns - 1) * gap_x) / columns
duration(us) = us >= 1e6 ? sprintf("%g s", us / 1e6) : us >= 1e3 ? sprintf("%g ms", us / 1e3) : \
    us >= 1 ? sprintf("%g µs", us) : sprintf("%g ns", us * 1e3)
colour_of(model, which) = which == 1 ? model_colour(model) : paler(model_colour(model))
set logscale x 10
set border 1
unset ytics
set yrange [pairs + 0.6 : 0.4]
do for [p = 1:panels] {
    name = word(kernels, p)
    column_at = (p - 1) % columns
    row_at = (p - 1) / columns
    plot_left = names_wide + column_at * (panel_width + gap_x)
    plot_right = plot_left + panel_width
    plot_top = top_at + row_at * (panel_high + 74)
    plot_bottom = plot_top + panel_high
    eval place_plot
    low_edge = lows[p] / 1.6
    high_edge = highs[p] * 1.6
    if (high_edge / low_edge < 30) {
        low_edge = low_edge / 2
        high_edge = high_edge * 2
    }
    set xrange [low_edge : high_edge]
    unset xtics
    set xtics nomirror scale 0.5 (1) textcolor rgb ink
    every = log10(high_edge / low_edge) > 4.5 ? 2 : 1
    do for [k = -3:9] {
        set xtics add ((k + 3) % every == 0 ? duration(10. ** k) : "" 10. ** k)
    }
    set grid xtics back ls 100
    set label 1 name at screen across(plot_left), down(plot_top - 13) left font bold_face(12) \
        textcolor rgb ink
    dodge = more_workers > at_workers ? 0.2 : 0
    at_row(row, which) = strcol(1) eq name ? row + (which == 1 ? -dodge : dodge) : NaN
    plot "points" using 4:(at_row($3, $2)):(($6 == $6 ? $6 : $5) - $4):(0): \
            (colour_of(strcol(7), $2)) with vectors nohead lw 2 lc rgb variable, \
        "points" using 6:(at_row($3, $2)):(filled_if(5, strcol(8))):(colour_of(strcol(7), $2)) \
            with points pt variable ps mark(0.9) lw 1.5 lc rgb variable, \
        "points" using 5:(at_row($3, $2)):(filled_if(9, strcol(8))):(colour_of(strcol(7), $2)) \
            with points pt variable ps mark(1.2) lw 1.5 lc rgb variable, \
        "points" using 4:(at_row($3, $2)):(filled_if(7, strcol(8))):(colour_of(strcol(7), $2)) \
            with points pt variable ps mark(1.2) lw 1.5 lc rgb variable, \
        "words" using (sqrt(low_edge * high_edge)):(strcol(1) eq name ? $2 : NaN):3 with labels \
            center font face(more_workers > at_workers ? 9 : 10) textcolor rgb grey, \
        "rows" using (low_edge):(column_at == 0 ? $1 : NaN):2 with labels right \
            offset -0.8, 0 font face(11) textcolor rgb ink
    eval forget_heading
    eval forget_legend
}
unset multiplot
