# Shows how each class scales with workers under each model, against the ideal of the machine.

# Speed-up: items_per_s with N workers over items_per_s with one, of the same kernel, model, engine,
# depth, isa and binding. Where one worker was measured at several sizes (a sweep) the size must
# match too; else the one there is serves, as the share of a cache shrinks with each worker added.
$program << AWK
field("kernel") == "" { next }
{
    c = field("class")
    m = model_of()
    w = number("workers")
    if (!(c in class_known)) {
        class_known[c] = 1
        extra_classes = extra_classes " " c
    }
    if (!measured()) {
        if (field("status") == "failed") failed[c]++
        else skipped[c]++
        next
    }
    if (positive("items_per_s") == "")
        next
    n++
    settings = field("engine") " " field("depth") " " field("isa") " " field("bind")
    who[n] = field("kernel") " " m " " settings
    # One worker has one lane: a loop on several is compared with it too.
    single[n] = field("kernel") " " field("model") " " settings
    size[n] = field("bytes_per_worker")
    class[n] = c; model[n] = m; workers[n] = w
    value[n] = positive("items_per_s"); status[n] = field("status")
    if (w == 1) {
        one_of_size[single[n], size[n]] = n
        one[single[n]] = n
        sizes[single[n]]++
    }
}

function base_of(i) {
    if ((single[i], size[i]) in one_of_size) return one_of_size[single[i], size[i]]
    return sizes[single[i]] == 1 ? one[single[i]] : 0
}

END {
    print "NaN\tNaN\tx\tx\tx" > "points"
    print "NaN\tNaN\tx\tx" > "lines"
    print "NaN\tNaN\tx\tx" > "medians"
    for (i = 1; i <= n; i++) {
        b = base_of(i)
        if (!b) {
            alone[class[i]]++
            continue
        }
        up[i] = value[i] / value[b]
        key = who[i] " " (((single[i], size[i]) in one_of_size) ? size[i] : "")
        if (!(key in group)) {
            group[key] = ++groups
            group_first[groups] = i
        }
        g = group[key]
        at[g, ++members[g]] = workers[i] " " i
        spot = class[i] SUBSEP model[i] SUBSEP workers[i]
        if (!(spot in spots)) spot_list[++spot_count] = spot
        pool[spot, ++spots[spot]] = up[i]
        if (workers[i] > 1) compared++
        c = class[i]
        if (workers[i] > most[c]) most[c] = workers[i]
        if (!(c in least_up) || up[i] < least_up[c]) least_up[c] = up[i]
        if (up[i] > most_up[c]) most_up[c] = up[i]
        models[model[i]] = 1
        if (status[i] == "suspect") {
            printf "%d\t%.6g\t%s\t%s\n", workers[i], up[i], class[i], model[i] > "points"
            suspects++
        }
    }
    for (g = 1; g <= groups; g++) {
        for (i = 1; i <= members[g]; i++) line[i] = at[g, i]
        sort_numbers(line, members[g])
        for (i = 1; i <= members[g]; i++) {
            split(line[i], part, " ")
            j = part[2]
            printf "%d\t%.6g\t%s\t%s\n", workers[j], up[j], class[j], model[j] > "lines"
        }
        print "" > "lines"
    }
    # Medians over kernels, in order of workers for each class and model.
    for (i = 1; i <= spot_count; i++) {
        split(spot_list[i], part, SUBSEP)
        k = part[1] SUBSEP part[2]
        if (!(k in curve)) curve_list[++curves] = k
        curve_at[k, ++curve[k]] = part[3]
    }
    for (c = 1; c <= curves; c++) {
        k = curve_list[c]
        split(k, part, SUBSEP)
        for (i = 1; i <= curve[k]; i++) line[i] = curve_at[k, i]
        sort_numbers(line, curve[k])
        for (i = 1; i <= curve[k]; i++) {
            spot = k SUBSEP line[i]
            for (j = 1; j <= spots[spot]; j++) list[j] = pool[spot, j]
            printf "%d\t%.6g\t%s\t%s\n", line[i], median(list, spots[spot]), part[1], part[2] \
                > "medians"
        }
        print "" > "medians"
    }
    names = ""
    m = split(all_classes extra_classes, wanted, " ")
    for (i = 1; i <= m; i++)
        if (wanted[i] in class_known && !index(" " names " ", " " wanted[i] " ")) {
            names = names (names == "" ? "" : " ") wanted[i]
            c = wanted[i]
            note = ""
            if (skipped[c]) note = note ", " skipped[c] " skipped"
            if (failed[c]) note = note ", " failed[c] " failed"
            if (alone[c]) note = note ", " alone[c] " lack 1 worker"
            print "note_" c " = " quoted(substr(note, 3))
            # A range for each panel, in which the ideal has a place.
            if (most[c] < 2) most[c] = 2
            ideal = cpus && cpus < most[c] ? cpus : most[c]
            if (most_up[c] < ideal) most_up[c] = ideal
            if (least_up[c] == "" || least_up[c] > 0.8) least_up[c] = 0.8
            print "most_" c " = " real(most[c])
            print "least_up_" c " = " real(least_up[c])
            print "most_up_" c " = " real(most_up[c])
        }
    print "classes = " quoted(names)
    print "models = " quoted(listed(models, all_models))
    print "compared = " compared + 0
    print "suspects = " suspects + 0
}
AWK
set print "scaling.awk"
print $program
set print
load tidy("scaling.awk", "run/summary.csv")

heading = "Scaling with workers: speed-up over one worker"
if (compared == 0) {
    why = "no cell was measured both with one worker and with more in this run: ". \
        "xbound run --workers 1,2,4"
    eval empty_chart
    exit
}
remark = "Thick: median over the class. Thin: each kernel and engine. ". \
    "Log axes, a scale per class. ". \
    "Grey: cells without a figure (reason in summary.csv)".(suspects > 0 ? ". Hollow: suspect" : "")
panels = words(classes)
columns = panels == 1 ? 1 : panels == 2 || panels == 4 ? 2 : 3
rows = (panels + columns - 1) / columns
height = rows == 1 ? 560 : 146 + 330 * rows
eval open_chart

item_shape = 7
do for [item in models] {
    item_colour = model_colour(item)
    eval legend_item
}
legend_x = legend_x + 30
item = cpus > 0 ? sprintf("ideal: the workers, up to the %d CPU%s", cpus, cpus == 1 ? "" : "s") \
    : "ideal: the workers"
eval legend_line

set multiplot
set samples 400 # or the corner of the ideal line is cut
set logscale xy 2
set grid xtics ytics back ls 100
set border 3
ideal(workers) = cpus > 0 && workers > cpus ? cpus : workers
gap_x = 84
panel_width = (1200 - 24 - columns * gap_x) / columns
top_at = 138
panel_high = rows == 1 ? height - top_at - 100 : 330 - 90
do for [p = 1:panels] {
    name = word(classes, p)
    column_at = (p - 1) % columns
    row_at = (p - 1) / columns
    most = value("most_".name)
    least_up = value("least_up_".name)
    most_up = value("most_up_".name)
    set xrange [0.9 : most * 1.12]
    set yrange [least_up / 1.2 : most_up * 1.25]
    x_step = most > 512 ? 4 : 2
    y_step = most_up / least_up > 8000 ? 16 : most_up / least_up > 100 ? 4 : 2
    unset xtics
    unset ytics
    set xtics nomirror scale 0.5 ("1" 1) textcolor rgb ink
    set ytics nomirror scale 0.5 ("1" 1) textcolor rgb ink
    do for [k = -40:40] {
        if (k != 0) {
            set xtics add (fraction(x_step ** k) x_step ** k)
            set ytics add (fraction(y_step ** k) y_step ** k)
        }
    }
    plot_left = gap_x + column_at * (panel_width + gap_x)
    plot_right = plot_left + panel_width
    plot_top = top_at + row_at * 330
    plot_bottom = plot_top + panel_high
    below = "workers"
    beside_gap = 70
    beside = column_at == 0 ? "speed-up (×)" : ""
    eval place_plot
    set label 1 name at screen across(plot_left), down(plot_top - 16) left font bold_face(12) \
        textcolor rgb ink
    set label 2 (exists("note_".name) ? value("note_".name) : "") \
        at screen across(plot_right), down(plot_top - 16) right font face(9.5) textcolor rgb grey
    # Later models are drawn thinner, so that where lines coincide all of them are seen.
    plot "lines" using 1:(strcol(3) eq name ? $2 : NaN):(model_colour(strcol(4)) + 0x90000000) \
            with lines lw 1 lc rgb variable, \
        for [m = 1:words(models)] "medians" \
            using 1:(strcol(3) eq name && strcol(4) eq word(models, m) ? $2 : NaN) \
            with linespoints pt 7 ps mark(1.6 - 0.25 * m) lw 7.5 - 1.5 * m \
            lc rgb model_colour(word(models, m)), \
        "points" using 1:(strcol(3) eq name ? $2 : NaN):(model_colour(strcol(4))) \
            with points pt 6 ps mark(1.1) lw 1.5 lc rgb variable, \
        ideal(x) with lines lw 2 dt (6, 4) lc rgb ink
    eval forget_heading
    eval forget_legend
}
unset multiplot
set samples 400 # or the corner of the ideal line is cut
