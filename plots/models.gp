# Compares the execution models kernel by kernel: throughput relative to threads, with intervals.

# One row per kernel, one slot in it per model/engine that was measured. Cells are compared at one
# worker count, and only where size, depth, isa and binding are equal too.
$program << AWK
field("kernel") == "" { next }
{
    n++
    kernel[n] = field("kernel"); class[n] = field("class"); status[n] = field("status")
    model[n] = model_of(); engine[n] = field("engine")
    pair[n] = model[n] "/" engine[n]; workers[n] = number("workers")
    variant[n] = field("bytes_per_worker") " " field("depth") " " field("isa") " " field("bind")
    if (measured()) {
        value[n] = positive("items_per_s")
        lo[n] = positive("items_per_s_lo"); hi[n] = positive("items_per_s_hi")
    }
    if (value[n] != "") {
        seen_workers[workers[n]] = 1
        seen_model[model[n]] = 1
    } else
        any_workers[workers[n]] = 1
}

function is_base(i) {
    return model[i] == base_model && (class[i] != "io" || engine[i] == base_engine)
}

# What was not measured goes into words beside the row: named if one, counted if more.
function absence(k, m,    i, p, skips, fails, odd, name, done, have, kinds) {
    for (i = 1; i <= n; i++)
        if (kernel[i] == k && workers[i] == at && variant[i] == m && value[i] != "")
            have[pair[i]] = 1
    for (i = 1; i <= n; i++) {
        p = pair[i]
        if (kernel[i] != k || workers[i] != at || p in have || p in done)
            continue
        done[p] = 1
        name = class[i] == "io" ? p : model[i]
        if (status[i] == "skipped") skips = skips "," name
        else if (status[i] == "failed") fails = fails "," name
        else odd = odd "," name # measured at another size, or without a rate
    }
    kinds = (skips != "") + (fails != "") + (odd != "")
    return substr(counted(skips, "skipped", kinds) counted(fails, "failed", kinds) \
        counted(odd, "no figure", kinds), 3)
}

function counted(names, word, kinds,    list, c) {
    c = split(substr(names, 2), list, ",")
    if (!c) return ""
    return ", " (c == 1 && kinds == 1 && length(names) < 24 ? list[1] : c) " " word
}

function emit_kernel(k, side,    i, j, c, best, m, count, base, slots, order, note, name, top, s) {
    split("", count)
    m = ""
    best = 0
    for (i = 1; i <= n; i++)
        if (kernel[i] == k && workers[i] == at) {
            if (m == "") m = variant[i]
            if (value[i] != "" && ++count[variant[i]] > best) {
                best = count[variant[i]]
                m = variant[i]
            }
        }
    base = 0
    slots = 0
    for (i = 1; i <= n; i++)
        if (kernel[i] == k && workers[i] == at && variant[i] == m && value[i] != "") {
            if (is_base(i) && !base) base = i
            order[++slots] = pair_rank(model[i], engine[i]) " " i
        }
    sort_numbers(order, slots)
    note = absence(k, m)
    if (!slots) {
        if (note == "") note = "not measured"
    } else if (!base) {
        note = "no " base_model (note == "" ? " figure" : ": " note)
        slots = 0
    }
    top = y[side]
    for (s = 1; s <= slots; s++) {
        split(order[s], c, " ")
        j = c[2]
        printf "%d\t%s\t%s\t%s\t%.1f\t%s\t%s\t%s\n", side, cell(value[j] / value[base]),
            cell(lo[j] == "" ? "" : lo[j] / value[base]),
            cell(hi[j] == "" ? "" : hi[j] / value[base]),
            top + 8 + 10 * s, model[j], class[j] == "io" ? engine[j] : "blocking",
            status[j] > "points"
        extend(side, value[j] / value[base])
        models_shown[model[j]] = 1
        if (class[j] == "io") engines_shown[engine[j]] = 1
        if (status[j] == "suspect") suspects++
    }
    y[side] += slots > 1 ? 18 + 10 * slots : 27
    name = k
    sub(/^[^\/]*\//, "", name)
    printf "%d\t%.1f\t%s\t%s\n", side, (top + y[side] + 9) / 2, name, note > "rows"
    printf "%d\t%.1f\n", side, y[side] + 4.5 > "rules"
}

function extend(side, ratio) {
    if (ratio < low[side]) low[side] = ratio
    if (ratio > high[side]) high[side] = ratio
}

# Rows of a kernel cost its slots; a first guess that only has to balance the two sides.
function cost(c,    i, s) {
    s = 0
    for (i = 1; i <= n; i++)
        if (class[i] == c && workers[i] == at)
            s += (value[i] != "" ? 9 : 1) + (first[i] ? 18 : 0)
    return s ? s + 34 : 0
}

function emit_class(c, side,    i) {
    printf "%d\t%.1f\t%s\n", side, y[side] + 17, c > "classes"
    y[side] += 27
    for (i = 1; i <= kernels; i++)
        if (class_of[names[i]] == c)
            emit_kernel(names[i], side)
    y[side] += 12
}

END {
    at = nearest_count(seen_workers, cpus)
    if (at == "") at = nearest_count(any_workers, cpus)
    base_model = "threads"
    base_engine = "blocking"
    if (!("threads" in seen_model))
        for (i = n; i >= 1; i--)
            if (value[i] != "") {
                base_model = model[i]
                if (class[i] == "io") base_engine = engine[i]
            }
    for (i = 1; i <= n; i++)
        if (workers[i] == at && !(kernel[i] in known)) {
            known[kernel[i]] = first[i] = 1
            names[++kernels] = kernel[i]
            class_of[kernel[i]] = class[i]
            if (!(class[i] in class_known)) {
                class_known[class[i]] = 1
                class_list[++class_count] = class[i]
            }
        }
    sort_texts(names, kernels)
    # Classes in the order of the README, foreign ones last, split over two sides of like height.
    ordered = split(all_classes, wanted, " ")
    for (i = 1; i <= class_count; i++)
        if (!index(" " all_classes " ", " " class_list[i] " "))
            wanted[++ordered] = class_list[i]
    total = 0
    for (i = 1; i <= ordered; i++)
        total += price[i] = cost(wanted[i])
    y[1] = y[2] = 0
    low[1] = low[2] = 0.8
    high[1] = high[2] = 1.25
    spent = 0
    sides = 1
    for (i = 1; i <= ordered; i++)
        if (price[i]) {
            if (total > 330 && spent > 0 && spent + price[i] / 2 > total / 2)
                sides = 2
            spent += price[i]
            emit_class(wanted[i], sides)
        }
    for (i = 1; i <= 2; i++)
        print i "\tNaN\tNaN\tNaN\tNaN\tx\tx\tx" > "points"
    high_row = y[1] > y[2] ? y[1] : y[2]
    print "rows_high = " int(high_row > 160 ? high_row : 160)
    print "sides = " sides
    print "array low[2] = [" real(low[1]) "," real(low[2]) "]"
    print "array high[2] = [" real(high[1]) "," real(high[2]) "]"
    print "at_workers = " at + 0
    print "base = " quoted(base_model)
    print "base_engine = " quoted(base_engine)
    print "models = " quoted(listed(models_shown, all_models))
    print "engines = " quoted(listed(engines_shown, all_engines))
    print "suspects = " suspects + 0
}
AWK
set print "models.awk"
print $program
set print
load tidy("models.awk", "run/summary.csv")

heading = "Execution models side by side: throughput relative to ".base
remark = sprintf("Median of each cell with its 95 %% interval, at %d worker%s", at_workers, \
    at_workers == 1 ? "" : "s").(words(engines) > 0 ? "; I/O relative to ".base. \
    "/".base_engine : "").". Grey: cells without a figure (reason in summary.csv)". \
    (suspects > 0 ? ". Hollow: suspect" : "")
top_at = 116
height = top_at + rows_high + 96
eval open_chart

item_shape = 7
do for [item in models] {
    item_colour = model_colour(item)
    eval legend_item
}
if (words(engines) > 0) {
    legend_x = legend_x + 40
    item_colour = grey
    do for [item in engines] {
        item_shape = engine_shape(item)
        if (item eq "blocking" && words(engines) > 1) {
            item = "blocking, and all but I/O"
        }
        eval legend_item
    }
}

set multiplot
do for [side = 1:sides] {
    plot_left = sides == 1 ? 170 : side == 1 ? 150 : 740
    plot_right = sides == 1 ? 1000 : side == 1 ? 480 : 1030
    plot_top = top_at
    plot_bottom = top_at + rows_high
    below = "throughput ÷ throughput of ".base." (log scale)"
    eval place_plot
    set yrange [rows_high : 0]
    low_edge = low[side] / 1.15
    high_edge = high[side] * 1.15
    set xrange [low_edge : high_edge]
    set logscale x 2
    # As many labels as fit: halves and doubles, then steps of four, ten, a hundred.
    span = log(high_edge / low_edge) / log(2)
    step = span < 6 ? 2 : span < 12 ? 4 : span < 20 ? 10 : 100
    unset xtics
    set xtics nomirror scale 0.5 ("1×" 1) textcolor rgb ink
    set grid xtics back ls 100
    do for [k = -40:40] {
        if (k != 0 && step ** k > low_edge && step ** k < high_edge) {
            set xtics add (fraction(step ** k)."×" step ** k)
        }
    }
    if (span < 1.6) {
        set xtics add ("0.8×" 0.8, "1.25×" 1.25)
    }
    unset ytics
    set border 1
    unset arrow
    set arrow 1 from 1, graph 0 to 1, graph 1 nohead lc rgb ink lw 1.2 back
    in_side(value) = column(1) == side ? value : NaN
    plot "rules" using (low_edge):(in_side($2)):(high_edge - low_edge):(0) \
            with vectors nohead ls 100, \
        "points" using 3:(in_side($5)):($4 - $3):(0):(model_colour(strcol(6))) \
            with vectors nohead lw 3 lc rgb variable, \
        "points" using 2:(in_side($5)):(filled_if(engine_shape(strcol(7)), strcol(8))): \
            (model_colour(strcol(6))) with points pt variable ps mark(1.25) lw 1.5 \
            lc rgb variable, \
        "rows" using (low_edge):(in_side($2)):3 with labels right offset -1, 0 \
            font face(11) textcolor rgb ink, \
        "rows" using (high_edge):(in_side($2)):4 with labels left offset 0.5, 0 \
            font face(9.5) textcolor rgb grey, \
        "classes" using (low_edge):(in_side($2)):3 with labels right offset -1, 0 \
            font bold_face(12) textcolor rgb ink
    eval forget_heading
    eval forget_legend
}
unset multiplot
