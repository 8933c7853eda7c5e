# Compares the execution models kernel by kernel: throughput relative to threads, with intervals.

# One row per kernel, one slot in it per model/engine that was measured. Cells are compared at one
# worker count, and only where size, depth, isa and binding are equal too.
$program << AWK
field("kernel") == "" { next }
{
    n++
    kernel[n] = field("kernel"); class[n] = field("class"); status[n] = field("status")
    model[n] = field("model"); engine[n] = field("engine"); stuck[n] = deadlocked()
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
function absence(k, m,    i, p, skips, fails, odd, locks, name, done, have, kinds) {
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
        else if (stuck[i]) locks = locks "," name
        else odd = odd "," name # measured at another size, or without a rate
    }
    kinds = (skips != "") + (fails != "") + (locks != "") + (odd != "")
    return substr(counted(skips, "skipped", kinds) counted(fails, "failed", kinds) \
        counted(locks, "deadlocked", kinds) counted(odd, "no figure", kinds), 3)
}

function counted(names, word, kinds,    list, c) {
    c = split(substr(names, 2), list, ",")
    if (!c) return ""
    return ", " (c == 1 && kinds == 1 && length(names) < (sides > 2 ? 7 : 24) ? list[1] : c) " " word
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
        note = "no " base_model (sides > 2 ? "" : note == "" ? " figure" : ": " note)
        slots = 0
    }
    top = y[side]
    y[side] += tall(k, slots)
    for (s = 1; s <= slots; s++) {
        split(order[s], c, " ")
        j = c[2]
        printf "%d\t%s\t%s\t%s\t%.1f\t%s\t%s\t%s\n", side, cell(value[j] / value[base]),
            cell(lo[j] == "" ? "" : lo[j] / value[base]),
            cell(hi[j] == "" ? "" : hi[j] / value[base]),
            (top + y[side] + 9) / 2 + pitch(k) * (s - (slots + 1) / 2), model[j], class[j] == "io" ? engine[j] : "blocking",
            status[j] > "points"
        extend(side, value[j] / value[base])
        models_shown[model[j]] = 1
        if (class[j] == "io") engines_shown[engine[j]] = 1
        if (status[j] == "suspect") suspects++
    }
    name = k
    sub(/^[^\/]*\//, "", name)
    printf "%d\t%.1f\t%s\t%s\n", side, (top + y[side] + 9) / 2, name, note > "rows"
    printf "%d\t%.1f\n", side, y[side] + 4.5 > "rules"
}

function extend(side, ratio) {
    if (ratio < low[side]) low[side] = ratio
    if (ratio > high[side]) high[side] = ratio
}

# Kernels of I/O have a slot for each engine too.
function pitch(k) {
    return class_of[k] == "io" ? 7 : 10
}

function tall(k, slots) {
    return slots > 1 ? 15 + pitch(k) * slots : 25
}

# A first guess, which only has to balance the sides.
function cost(k,    i, slots) {
    for (i = 1; i <= n; i++)
        slots += kernel[i] == k && workers[i] == at && value[i] != ""
    return tall(k, slots)
}

function emit_heading(text, side) {
    printf "%d\t%.1f\t%s\n", side, y[side] + 17, text > "classes"
    y[side] += 27
}

# A class goes on at the top of the next side where this one is full.
function emit_class(c,    i, begun) {
    for (i = 1; i <= kernels; i++)
        if (class_of[names[i]] == c) {
            if (side < sides && spent + price[names[i]] / 2 > total / sides * side) {
                side++
                if (begun) emit_heading(c ", more", side)
            }
            if (!begun) emit_heading(c, side)
            begun = 1
            spent += price[names[i]]
            emit_kernel(names[i], side)
        }
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
    for (i = 1; i <= kernels; i++)
        total += price[names[i]] = cost(names[i])
    sides = total <= 330 ? 1 : total <= 1600 ? 2 : 3
    side = 1
    for (i = 1; i <= 3; i++) {
        y[i] = 0
        low[i] = 0.8
        high[i] = 1.25
    }
    for (i = 1; i <= ordered; i++)
        if (wanted[i] in class_known) emit_class(wanted[i])
    sides = side
    for (i = 1; i <= 3; i++)
        print i "\tNaN\tNaN\tNaN\tNaN\tx\tx\tx" > "points"
    rows_high = 160
    for (i = 1; i <= sides; i++)
        if (y[i] > rows_high) rows_high = y[i]
    print "rows_high = " int(rows_high)
    print "sides = " sides
    print "array low[3] = [" real(low[1]) "," real(low[2]) "," real(low[3]) "]"
    print "array high[3] = [" real(high[1]) "," real(high[2]) "," real(high[3]) "]"
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
    plot_left = sides == 1 ? 170 : sides == 2 ? 150 + (side - 1) * 590 : 144 + (side - 1) * 396
    plot_right = sides == 1 ? 1000 : plot_left + (sides == 2 ? 310 : 150)
    plot_top = top_at
    plot_bottom = top_at + rows_high
    below = sides == 3 ? "÷ throughput of ".base : \
        "throughput ÷ throughput of ".base." (log scale)"
    eval place_plot
    set yrange [rows_high : 0]
    low_edge = low[side] / 1.15
    high_edge = high[side] * 1.15
    set xrange [low_edge : high_edge]
    set logscale x 2
    # As many labels as fit: halves and doubles, then steps of four, ten, a hundred.
    span = log(high_edge / low_edge) / log(2)
    fit = (plot_right - plot_left) / 50.
    step = span < fit ? 2 : span < 2 * fit ? 4 : span < 3.3 * fit ? 10 : span < 6.6 * fit ? 100 : 1000
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
