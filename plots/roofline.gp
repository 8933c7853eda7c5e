# Places each compute kernel under the roofs that this machine was measured to have.

# The roofs are figures of this run too: arithmetic from cpu/fma_peak, bandwidth from cache/load_l1
# and from whichever kernel moved most payload to or from memory. A kernel is shown at its best cell, whatever model and worker count that was,
# and at its best cell with one worker. A suspect cell serves only where there is no other.
$program << AWK
field("class") != "cpu" && field("class") != "cache" && field("class") != "memory" { next }
{ k = field("kernel") }
!(k in class) {
    class[k] = field("class")
    list[++kernels] = k
}
!measured() {
    if (field("status") == "failed") failed++
    else skipped++
    next
}
{
    n++
    kernel[n] = k; workers[n] = number("workers"); status[n] = field("status")
    bytes[n] = number("bytes_per_worker")
    flops[n] = positive("gflop_per_s"); gb[n] = positive("gb_per_s")
    intensity[n] = positive("flop_per_byte")
    # In a sweep only the ends are of the class: triad is memory when large, load_l1 L1 when small.
    end = k SUBSEP workers[n]
    if (!(end in edge) || (class[k] == "memory" ? bytes[n] > edge[end] : bytes[n] < edge[end]))
        edge[end] = bytes[n]
}

# The cell of k with the most `figure`; 0 if none has it. `one`: with one worker only.
function best(k, figure, one,    i, b, sure) {
    b = 0
    for (i = 1; i <= n; i++) {
        if (kernel[i] != k || figure[i] == "" || (one && workers[i] != 1) ||
            bytes[i] != edge[k, workers[i]])
            continue
        sure = status[i] == "ok"
        if (!b || sure > (status[b] == "ok") ||
            (sure == (status[b] == "ok") && figure[i] > figure[b]))
            b = i
    }
    return b
}

# The best of a list of kernels makes the roof; that of one worker is of the same kernel.
function roof(name, ks, figure,    of, i, b, c, one) {
    b = 0
    for (i = split(ks, of, " "); i > 0; i--) {
        c = best(of[i], figure, 0)
        if (c && (!b || figure[c] > figure[b])) b = c
    }
    one = b ? best(kernel[b], figure, 1) : 0
    print name " = " real(b ? figure[b] : 0)
    print name "_one = " real(one ? figure[one] : 0)
    print name "_name = " quoted(b ? kernel[b] : "")
    return b ? figure[b] : 0
}

function short(k) {
    sub(/^[^\/]*\//, "", k)
    return k
}

function max(a, b) { return a > b ? a : b }

function log10(x) { return log(x) / log(10) }

# Does a label of this width, with its left end at x, y (pixels), hit a point or another label?
function hits(x, y, wide,    i) {
    if (x < 4 || x + wide > 706) return 1
    for (i = 1; i <= boxes; i++)
        if (x < box_right[i] && x + wide > box_left[i] &&
            y - 9 < box_top[i] && y + 9 > box_bottom[i])
            return 1
    return 0
}

function occupy(left, right, bottom, top) {
    boxes++
    box_left[boxes] = left; box_right[boxes] = right
    box_bottom[boxes] = bottom; box_top[boxes] = top
}

# The name of a roof lies along it, so a row of small boxes keeps others away.
function keep_free(bandwidth,    from, t, x, y) {
    if (!bandwidth) return
    from = max(left, low / bandwidth)
    for (t = 0; t <= 200; t += 10) {
        x = sx * log10(from / left) + 10 + t * sx / sqrt(sx * sx + sy * sy)
        y = sy * log10(from * bandwidth / low) + (10 + t * sx / sqrt(sx * sx + sy * sy)) * sy / sx
        occupy(x - 12, x + 6, y - 6, y + 20)
    }
}

END {
    peak = roof("peak", "cpu/fma_peak", flops)
    l1 = roof("l1", "cache/load_l1", gb)
    dram = roof("dram", "memory/load memory/store memory/copy memory/triad memory/store_nt " \
        "memory/copy_nt memory/triad_nt", gb)
    sort_texts(list, kernels)
    for (i = 1; i <= kernels; i++) {
        k = list[i]
        f = best(k, flops, 0)
        b = best(k, gb, 0)
        if (f && intensity[f] != "") {
            points++
            p_kernel[points] = k; p_all[points] = f; p_one[points] = best(k, flops, 1)
            left = left == "" || intensity[f] < left ? intensity[f] : left
            right = max(right, intensity[f])
            for (j = 1; j <= 2; j++) {
                v = j == 1 ? flops[f] : p_one[points] ? flops[p_one[points]] : flops[f]
                if (low == "" || v < low) low = v
                high = max(high, v)
            }
        } else if (f) {
            if (k != "cpu/fma_peak") {
                print cell(flops[f]) "\t" short(k) "\t" class[k] "\t" status[f] > "levels"
                levels++
                if (low == "" || flops[f] < low) low = flops[f]
                high = max(high, flops[f])
            }
        } else if (b) {
            rows++
            one = best(k, gb, 1)
            printf "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", rows, cell(gb[b]), cell(one ? gb[one] : ""),
                k, class[k], status[b], one ? status[one] : "x" > "streams"
            if (thin == "" || gb[b] < thin) thin = gb[b]
            if (one && gb[one] < thin) thin = gb[one]
            thick = max(thick, gb[b])
        } else
            bare = bare (bare == "" ? "" : ", ") short(k)
    }
    if (left == "") { left = 0.1; right = 10 }
    if (dram && peak) right = max(right, peak / dram)
    left /= 5
    right *= 3
    if (peak) high = max(high, peak)
    if (high == 0) high = 10
    if (low == "") low = high / 30
    low /= 4
    high *= 2.2
    print "left = " real(left); print "right = " real(right)
    print "low = " real(low); print "high = " real(high)

    # Names beside the points: the first of four places that is free. 710 x 470 pixels.
    sx = 710 / log10(right / left)
    sy = 470 / log10(high / low)
    keep_free(l1)
    keep_free(dram)
    for (i = 1; i <= points; i++) {
        x = sx * log10(intensity[p_all[i]] / left)
        y = sy * log10(flops[p_all[i]] / low)
        occupy(x - 8, x + 8, y - 8, y + 8)
        if (p_one[i]) {
            v = sy * log10(flops[p_one[i]] / low)
            occupy(x - 6, x + 6, v - 6, v + 6)
        }
    }
    for (i = 1; i <= points; i++) {
        k = p_kernel[i]
        a = p_all[i]
        x = sx * log10(intensity[a] / left)
        y = sy * log10(flops[a] / low)
        wide = 9 * length(short(k))
        for (spot = 0; spot < 24; spot++) {
            lx = spot % 2 ? x - 13 - wide : x + 13
            ly = y + (int(spot / 2) % 2 ? -1 : 1) * int((spot + 2) / 4) * 19
            if (!hits(lx, ly, wide)) break
        }
        if (spot == 24) { lx = x + 13; ly = y }
        occupy(lx, lx + wide, ly - 9, ly + 9)
        if (spot > 1) # not beside its point: a line leads to it
            printf "%.5f\t%.5f\t%.5f\t%.5f\n", (spot % 2 ? lx + 0.85 * wide : lx - 2) / 710, ly / 470,
                x / 710, y / 470 > "leaders"
        printf "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.5f\t%.5f\n", cell(intensity[a]), cell(flops[a]),
            cell(p_one[i] ? flops[p_one[i]] : ""), short(k), class[k], status[a],
            p_one[i] ? status[p_one[i]] : "x", lx / 710, ly / 470 > "points"
        if (status[a] == "suspect" || (p_one[i] && status[p_one[i]] == "suspect")) suspects++
    }
    print "NaN\tNaN\tNaN\tx\tx\tx\tx\tNaN\tNaN" > "points"
    print "NaN\tNaN\tNaN\tx\tx\tx\tx" > "streams"
    print "NaN\tx\tx\tx" > "levels"
    print "NaN\tNaN\tNaN\tNaN" > "leaders"
    note = ""
    if (skipped) note = note ", " skipped " skipped"
    if (failed) note = note ", " failed " failed"
    print "absent = " quoted(substr(note, 3))
    print "bare = " quoted(bare)
    print "points = " points + 0; print "rows = " rows + 0; print "levels = " levels + 0
    print "thin = " real(thin == "" ? 1 : thin); print "thick = " real(thick == "" ? 10 : thick)
    print "suspects = " suspects + 0
}
AWK
set print "roofline.awk"
print $program
set print
load tidy("roofline.awk", "run/summary.csv")

heading = "Roofline: compute kernels under the roofs measured on this machine"
if (points + rows + levels == 0 && peak == 0) {
    why = "no cpu, cache or memory kernel was measured in this run". \
        (absent eq "" ? "" : " (cells: ".absent.")")
    eval empty_chart
    exit
}
no_roof = (peak > 0 ? "" : " cpu/fma_peak").(l1 > 0 ? "" : " cache/load_l1"). \
    (dram > 0 ? "" : " memory/load")
remark = (absent eq "" ? "" : "Cells without a figure: ".absent.". "). \
    (bare eq "" ? "" : "Neither flops nor bytes: ".shorten(bare, 60).". "). \
    (no_roof eq "" ? "" : "No roof, as not measured:".no_roof.". "). \
    (suspects > 0 ? "Hollow: suspect." : "")
height = 700
eval open_chart

do for [item in "cpu cache memory"] {
    item_shape = class_shape(item)
    item_colour = class_colour(item)
    eval legend_item
}
legend_x = legend_x + 30
item = "large, solid roof: best of all cells      small, dashed roof: best with one worker"
eval legend_text

set multiplot
plot_left = 90
plot_right = 800
plot_top = 116
plot_bottom = 586
below = "arithmetic intensity (flop per byte of payload)"
beside = "arithmetic (GFLOP/s)"
eval place_plot
set logscale xy 10
set xrange [left : right]
set yrange [low : high]
set samples 400
decades(value) = value >= 0.001 ? sprintf("%g", value) : sprintf("%.0e", value)
set xtics nomirror scale 0.5 (1) textcolor rgb ink
set ytics nomirror scale 0.5 (1) textcolor rgb ink
do for [k = -9:9] {
    set xtics add (decades(10. ** k) 10. ** k)
    set ytics add (decades(10. ** k) 10. ** k)
}
set grid xtics ytics back ls 100
set border 3
along(share) = left * (right / left) ** share # of the chart's width, and height
up(share) = low * (high / low) ** share
ceiling(peak_of, bandwidth, x) = bandwidth <= 0 || \
    (peak_of > 0 && x * bandwidth > peak_of) ? NaN : x * bandwidth
# The compute roof begins where the fastest bandwidth roof meets it.
ridge(peak_of, bandwidth) = bandwidth > 0 ? peak_of / bandwidth : 0
flat(peak_of, bandwidth, x) = peak_of > 0 && x >= ridge(peak_of, bandwidth) * 0.99 ? peak_of : NaN
# Names of the bandwidth roofs lie along them, where they are inside the chart.
slope = atan((470 / log10(high / low)) / (710 / log10(right / left))) * 180 / pi
enter(bandwidth) = left * bandwidth > low ? left : low / bandwidth
start_of(bandwidth) = enter(bandwidth) * (right / left) ** 0.015
roof_name(name, bandwidth) = sprintf("%s %s GB/s", name, figure(bandwidth))
if (l1 > 0) {
    set label 11 roof_name("cache/load_l1", l1) at start_of(l1), start_of(l1) * l1 left \
        rotate by slope offset 0, 0.75 font face(10) textcolor rgb class_colour("cache")
}
if (dram > 0) {
    set label 13 roof_name(dram_name, dram) at start_of(dram), start_of(dram) * dram left \
        rotate by slope offset 0, 0.75 font face(10) textcolor rgb class_colour("memory")
}
if (peak > 0) {
    set label 15 sprintf("cpu/fma_peak %s GFLOP/s", figure(peak)) at graph 0.995, first peak right \
        offset 0, 0.6 font face(10) textcolor rgb 0xB86E00
}
if (peak_one > 0 && peak_one < peak * 0.95) {
    set label 16 sprintf("one worker %s", figure(peak_one)) at graph 0.995, first peak_one right \
        offset 0, -0.6 font face(10) textcolor rgb 0xB86E00
}
if (points + levels == 0) {
    set label 17 "no kernel with flops and bytes in this run" at graph 0.5, graph 0.5 center \
        font face(12) textcolor rgb grey
}
plot ceiling(peak, l1, x) with lines lw 2.5 lc rgb class_colour("cache"), \
    ceiling(peak_one, l1_one, x) with lines lw 1.5 dt (6, 4) lc rgb class_colour("cache"), \
    ceiling(peak, dram, x) with lines lw 2.5 lc rgb class_colour("memory"), \
    ceiling(peak_one, dram_one, x) with lines lw 1.5 dt (6, 4) lc rgb class_colour("memory"), \
    flat(peak, l1 > 0 ? l1 : dram, x) with lines lw 2.5 lc rgb class_colour("cpu"), \
    flat(peak_one, l1_one > 0 ? l1_one : dram_one, x) with lines lw 1.5 dt (6, 4) \
        lc rgb class_colour("cpu"), \
    "levels" using (left):1:(right - left):(0):(class_colour(strcol(3))) \
        with vectors nohead lw 1.5 dt (2, 3) lc rgb variable, \
    "levels" using (right):1:2 with labels right offset -0.5, -0.7 font face(10), \
    "leaders" using (along($1)):(up($2)):(along($3) - along($1)):(up($4) - up($2)) \
        with vectors nohead lw 1 lc rgb grey, \
    "points" using 1:3:(0):($2 - $3) with vectors nohead lw 1 lc rgb grey, \
    "points" using 1:3:(filled_if(class_shape(strcol(5)), strcol(7))):(class_colour(strcol(5))) \
        with points pt variable ps mark(0.9) lw 1.5 lc rgb variable, \
    "points" using 1:2:(filled_if(class_shape(strcol(5)), strcol(6))):(class_colour(strcol(5))) \
        with points pt variable ps mark(1.7) lw 1.5 lc rgb variable, \
    "points" using (along($8)):(up($9)):4 with labels left \
        boxed font face(11) textcolor rgb ink
eval forget_heading
eval forget_legend
do for [tag = 11:17] {
    unset label tag
}

# Kernels without arithmetic have no place under a roofline; their bandwidth stands beside it.
plot_left = 990
plot_right = 1170
below = "bandwidth (GB/s)"
beside = ""
eval place_plot
set label 1 "moves bytes, no flops" at screen across(plot_left), down(plot_top - 14) left \
    font bold_face(11) textcolor rgb ink
set label 2 dram > 0 ? "line: ".dram_name : "" at screen across((plot_left + plot_right) / 2.), \
    down(plot_bottom + 68) center font face(10) textcolor rgb class_colour("memory")
unset ytics
set border 1
if (dram > 0) {
    if (dram < thin) {
        thin = dram
    }
    if (dram > thick) {
        thick = dram
    }
}
low_edge = thin / 2
high_edge = thick * 2
set xrange [low_edge : high_edge]
unset logscale y
set yrange [(rows < 8 ? 8 : rows) + 0.7 : 0.3]
if (log10(high_edge / low_edge) > 4) {
    unset xtics
    set xtics nomirror scale 0.5 (1) textcolor rgb ink
    do for [k = -9:9] {
        set xtics add ((k % 2 == 0 ? decades(10. ** k) : "") 10. ** k)
    }
}
if (dram > 0) {
    set arrow 1 from dram, graph 0 to dram, graph 1 nohead lw 2.5 lc rgb class_colour("memory") back
}
if (rows == 0) {
    set label 3 "none in this run" at graph 0.5, graph 0.5 center font face(11) textcolor rgb grey
}
plot "streams" using 3:1:($2 - $3):(0) with vectors nohead lw 1 lc rgb grey, \
    "streams" using 3:1:(filled_if(class_shape(strcol(5)), strcol(7))):(class_colour(strcol(5))) \
        with points pt variable ps mark(0.9) lw 1.5 lc rgb variable, \
    "streams" using 2:1:(filled_if(class_shape(strcol(5)), strcol(6))):(class_colour(strcol(5))) \
        with points pt variable ps mark(1.7) lw 1.5 lc rgb variable, \
    "streams" using (low_edge):1:(shorten(strcol(4), 20)) with labels right offset -0.7, 0 \
        font face(10) \
        textcolor rgb ink
unset multiplot
