# Sets how many workers are in flight against how many run at once: the subject of this suite.

$program << AWK
field("kernel") == "" { next }
!measured() {
    if (field("status") == "failed") failed++
    else skipped++
    next
}
positive("concurrency") == "" || positive("parallelism") == "" {
    blank++
    next
}
{
    n++
    x = positive("concurrency")
    y = positive("parallelism")
    printf "%.6g\t%.6g\t%s\t%s\t%s\n", x, y, field("class"), model_of(), field("status") \
        > "points"
    if (x > most) most = x
    if (least == "" || x < least) least = x
    if (y < lowest || lowest == "") lowest = y
    if (y > highest) highest = y
    classes[field("class")] = 1
    models[model_of()] = 1
    if (field("status") == "suspect") suspects++
}

END {
    print "NaN\tNaN\tx\tx\tx" > "points"
    print "cells = " n + 0
    print "least = " real(least)
    print "most = " real(most)
    print "lowest = " real(lowest)
    print "highest = " real(highest)
    print "suspects = " suspects + 0
    note = ""
    if (skipped) note = note ", " skipped " skipped"
    if (failed) note = note ", " failed " failed"
    if (blank) note = note ", " blank " without these figures"
    print "absent = " quoted(substr(note, 3))
    print "classes = " quoted(listed(classes, all_classes))
    print "models = " quoted(listed(models, all_models))
}
AWK
set print "concurrency.awk"
print $program
set print
load tidy("concurrency.awk", "run/summary.csv")

heading = "Concurrency is not parallelism: workers in flight against CPUs at work"
if (cells == 0) {
    why = "no cell with concurrency and parallelism in this run". \
        (absent eq "" ? "" : " (cells: ".absent.")")
    eval empty_chart
    exit
}
remark = sprintf("%d cells. Models are set a few pixels apart.", cells). \
    (absent eq "" ? "" : " Not shown: ".absent." (reason in summary.csv)."). \
    (suspects > 0 ? " Hollow: suspect." : "")
height = 740
eval open_chart

item_shape = 7
do for [item in models] {
    item_colour = model_colour(item)
    eval legend_item
}
legend_x = legend_x + 40
item_colour = grey
do for [item in classes] {
    item_shape = class_shape(item)
    eval legend_item
}

legend_x = legend_x + 30
item = "all run; below it, some wait"
eval legend_line

plot_left = 112
plot_right = 1150
plot_top = 112
plot_bottom = 645
below = "concurrency: workers in flight (mean, log scale)"
beside = "parallelism: CPUs at work (mean, log scale)"
beside_gap = 82
eval place_plot
low_x = (least < 0.8 ? least : 0.8) / 1.1
high_x = (most > 2 ? most : 2) * 1.25
low_y = (lowest < 0.5 ? lowest : 0.5) / 1.5
high_y = (highest > cpus ? highest : cpus > 1 ? cpus : 2) * 1.7
set logscale xy 2
set xrange [low_x : high_x]
set yrange [low_y : high_y]
decimal_y = high_y / low_y > 200
x_step = high_x / low_x > 2000 ? 4 : 2
set xtics nomirror scale 0.5 ("1" 1) textcolor rgb ink
set ytics nomirror scale 0.5 ("1" 1) textcolor rgb ink
do for [k = -30:30] {
    if (k != 0) {
        set xtics add (fraction(x_step ** k) x_step ** k)
        if (decimal_y && k > -10 && k < 10) {
            set ytics add (sprintf("%g", 10. ** k) 10. ** k)
        }
        if (!decimal_y) {
            set ytics add (fraction(2. ** k) 2. ** k)
        }
    }
}
set grid xtics ytics back ls 100
set border 3
set samples 400
set label 2 cpus == 0 ? "" : cpus == 1 ? "the one CPU" : sprintf("all %d CPUs", cpus) \
    at graph 0.995, first (cpus > 0 ? cpus : 1) right offset 0, 0.6 font face(11) textcolor rgb ink
# Concurrency hardly differs between models, whose points would hide one another.
nudge(model) = (high_x / low_x) ** ((model eq "threads" ? -13 : model eq "processes" ? -4 : \
    model eq "loop" ? 5 : 14) / 1040.)
plot x with lines lw 2 dt (6, 4) lc rgb ink, \
    (cpus > 0 ? cpus : NaN) with lines lw 2 lc rgb ink, \
    "points" using ($1 * nudge(strcol(4))):2:(filled_if(class_shape(strcol(3)), strcol(5))): \
        (model_colour(strcol(4)) + 0x40000000) with points pt variable ps mark(1.3) lw 1.5 \
        lc rgb variable
