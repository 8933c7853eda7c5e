# Shows what each execution model costs: a worker, a switch, a message, a megabyte, and memory.

# One row per cost, one line in it per model. Which cell stands for a model is said on the chart: of
# each cost one kernel at one number of workers and one size, and of several engines the plainest.
$program << AWK
field("kernel") == "" { next }
{
    n++
    kernel[n] = field("kernel"); model[n] = field("model"); engine[n] = field("engine")
    workers[n] = number("workers"); bytes[n] = number("bytes_per_worker"); status[n] = field("status")
    has_memory = "rss_bytes_per_worker" in csv_column
    all[model[n]] = 1
    if (!measured()) next
    item[n] = positive("ns_per_item")
    item_lo[n] = positive("ns_per_item_lo"); item_hi[n] = positive("ns_per_item_hi")
    cpu[n] = positive("cpu_ns_per_item")
    cpu_lo[n] = positive("cpu_ns_per_item_lo"); cpu_hi[n] = positive("cpu_ns_per_item_hi")
    rss[n] = positive("rss_bytes_per_worker"); inside[n] = positive("kernel_bytes_per_worker")
}

function duration(ns,    unit, names) {
    split("ns µs ms s", names, " ")
    for (unit = 1; ns >= 999.5 && unit < 4; unit++)
        ns /= 1000
    return sprintf(ns >= 99.5 ? "%.0f %s" : "%.3g %s", ns, names[unit])
}

# The plainest cell of a model, which is the one with the first engine.
function cell_of(k, m, w, b,    i, best, rank, least) {
    for (i = 1; i <= n; i++) {
        if (kernel[i] != k || model[i] != m || workers[i] != w || (b != "" && bytes[i] != b))
            continue
        rank = (item[i] == "") * 1000 + place(engine[i], all_engines)
        if (!best || rank < least) {
            best = i
            least = rank
        }
    }
    return best
}

function extend(value) {
    if (value == "") return
    if (low == "" || value < low) low = value
    if (value > high) high = value
}

# Its workers: as many as wanted, or the next that were measured. `most`: as many as there are.
function cost(title, k, wanted, b, by_cpu, note,    i, c, counts, w, text, value, lo, hi) {
    split("", counts)
    for (i = 1; i <= n; i++)
        if (kernel[i] == k && item[i] != "" && (b == "" || bytes[i] == b))
            counts[workers[i]] = 1
    w = nearest_count(counts, wanted)
    if (w == "") {
        for (i = 1; i <= n; i++)
            if (kernel[i] == k && (b == "" || bytes[i] == b)) {
                w = workers[i]
                break
            }
    }
    printf "%.1f\t%s\t%s\n", y + 7, title, (w == "" ? "not in this run (" k ")" \
        : plural(w, "worker") note) > "heads"
    y += w == "" ? 17 : 25
    for (c = 1; c <= models && w != ""; c++) {
        rows++
        i = cell_of(k, model_list[c], w, b)
        value = lo = hi = ""
        if (!i) text = "not run"
        else if (status[i] == "skipped" || status[i] == "failed") text = status[i]
        else {
            value = by_cpu ? cpu[i] : item[i]
            lo = by_cpu ? cpu_lo[i] : item_lo[i]
            hi = by_cpu ? cpu_hi[i] : item_hi[i]
            text = value == "" ? "no figure" : duration(value)
            if (status[i] == "suspect") suspects++
            if (value != "") used[model_list[c]] = engine[i]
        }
        extend(value)
        extend(lo)
        extend(hi)
        if (value != "")
            printf "%.1f\t%s\t%s\t%s\t%s\t%s\t%s\n", y, cell(value), cell(lo), cell(hi),
                model_list[c], status[i], text > "points"
        else
            printf "%.1f\t%s\n", y, text > "words"
        printf "%.1f\t%s\n", y, model_list[c] > "names"
        y += 16
    }
    y -= 1
    printf "%.1f\n", y > "rules"
    y += 9
}

# Memory: of one kernel, at the most workers that as many models as possible have in common.
function memory(    i, c, j, k, kernels, w, count, best, most, at, z, seen, text) {
    split("io/sleep_many io/idle_connections sync/yield", kernels, " ")
    for (j = 1; j <= 3 && memory_kernel == ""; j++)
        for (i = 1; i <= n; i++)
            if (kernel[i] == kernels[j] && rss[i] != "") memory_kernel = kernels[j]
    for (i = 1; i <= n && memory_kernel == ""; i++)
        if (rss[i] != "") memory_kernel = kernel[i]
    if (memory_kernel == "") return
    # The kernel's own share is known of many workers only.
    for (i = 1; i <= n; i++)
        if (kernel[i] == memory_kernel && inside[i] != "") has_inside = 1
    for (i = 1; i <= n; i++)
        if (kernel[i] == memory_kernel && rss[i] != "" && (!has_inside || inside[i] != "") &&
            !((workers[i], model[i]) in seen)) {
            seen[workers[i], model[i]] = 1
            count[workers[i]]++
        }
    for (w in count)
        if (count[w] > best || (count[w] == best && w + 0 > memory_workers)) {
            best = count[w]
            memory_workers = w + 0
        }
    for (c = 1; c <= models; c++) {
        print c "\t" model_list[c] > "memory_names"
        at = 0
        for (i = 1; i <= n; i++)
            if (kernel[i] == memory_kernel && model[i] == model_list[c] &&
                workers[i] == memory_workers && (!at || (rss[at] == "" && rss[i] != "")))
                at = i
        if (!at) text = "not run"
        else text = status[at] == "skipped" || status[at] == "failed" ? status[at] : "no figure"
        for (j = 0; j <= has_inside; j++) {
            z = !at ? "" : j ? inside[at] : rss[at]
            if (z != "") {
                printf "%.2f\t%s\t%s\t%s\t%d\t%s\n", c + (has_inside ? j * 0.4 - 0.2 : 0), cell(z), model_list[c],
                    status[at], j, binary_size(z) > "memory"
                if (memory_low == "" || z < memory_low) memory_low = z
                if (z > memory_high) memory_high = z
            } else if (!j || !at || rss[at] != "")
                printf "%.2f\t%s\n", c + (has_inside ? j * 0.4 - 0.2 : 0), text > "memory_words"
        }
    }
}

END {
    models = split(listed(all, all_models), model_list, " ")
    for (m in all)
        if (place(m, all_models) == 99) model_list[++models] = m
    y = 0
    cost("make a worker, and wait for its end", "sync/create_join", 1, "", 0, "")
    top = 1e9
    most = 0
    for (i = 1; i <= n; i++)
        if (kernel[i] == "sync/yield" && cpu[i] != "" && workers[i] > most &&
            (model[i] == "threads" || most == 0)) most = workers[i]
    cost("switch to another worker", "sync/yield", most, "", 1,
        cpus ? " on " (most > cpus ? plural(cpus, "CPU") : plural(cpus, "CPU") \
            ": nobody to switch to but in a loop") : "")
    cost("64 bytes and an answer, by pipe", "sync/pass_pipe", 2, 64, 0, "")
    cost("64 bytes and an answer, by Unix socket", "sync/pass_socketpair", 2, 64, 0, "")
    cost("64 bytes and an answer, by queue in memory", "sync/pass_queue", 2, 64, 0, "")
    cost("1 MiB and an answer, by memory in common", "sync/share_megabyte", 2, 1048576, 0, "")
    cost("1 MiB and an answer, by pipe", "sync/copy_megabyte", 2, 1048576, 0, "")
    memory()
    print "NaN\tNaN\tNaN\tNaN\tx\tx\tx" > "points"
    print "NaN\tx" > "words"
    print "NaN\tx" > "names"
    print "NaN\tx\tx" > "heads"
    print "NaN" > "rules"
    print "NaN\tNaN\tx\tx\t0\tx" > "memory"
    print "NaN\tx" > "memory_words"
    print "rows = " rows + 0
    print "rows_high = " int(y)
    print "low = " real(low == "" ? 1 : low)
    print "high = " real(high == "" ? 1000 : high)
    print "suspects = " suspects + 0
    for (c = 1; c <= models; c++) {
        names = names (c > 1 ? " " : "") model_list[c]
        engines = engines (c > 1 ? " " : "") (model_list[c] in used ? used[model_list[c]] : "-")
    }
    print "models = " quoted(names)
    print "engines = " quoted(engines)
    print "has_memory = " has_memory + 0
    print "memory_kernel = " quoted(memory_kernel)
    print "has_inside = " has_inside + 0
    print "memory_workers = " memory_workers + 0
    print "memory_low = " real(memory_low == "" ? 1024 : memory_low)
    print "memory_high = " real(memory_high == "" ? 1048576 : memory_high)
}
AWK
set print "costs.awk"
print $program
set print
load tidy("costs.awk", "run/summary.csv")

heading = "What each execution model costs: workers, switches, messages, memory"
if (rows == 0 && memory_kernel eq "") {
    why = "none of the kernels that show it in this run: xbound run 'sync/*'"
    eval empty_chart
    exit
}
remark = "Median with its 95 % interval, of the plainest engine and the workers named on the right. ". \
    "Wall time; a switch: CPU time per yield.". \
    (suspects > 0 ? " Hollow: suspect." : "")
top_at = 116
rows_high = rows_high < 220 ? 220 : rows_high
height = top_at + rows_high + 96
eval open_chart

do for [k = 1:words(models)] {
    item_shape = 7
    item = word(models, k)
    item_colour = model_colour(item)
    item = word(engines, k) eq "-" ? item : item."/".word(engines, k)
    eval legend_item
}

set multiplot
duration(ns) = ns >= 1e9 ? sprintf("%g s", ns / 1e9) : ns >= 1e6 ? sprintf("%g ms", ns / 1e6) : \
    ns >= 1e3 ? sprintf("%g µs", ns / 1e3) : sprintf("%g ns", ns)
plot_left = 130
plot_right = 790
plot_top = top_at
plot_bottom = top_at + rows_high
below = "time for each (log scale)"
eval place_plot
low_edge = low / 2
high_edge = high * 5
set logscale x 10
set xrange [low_edge : high_edge]
set yrange [rows_high : 0]
unset ytics
set border 1
set xtics nomirror scale 0.5 (1) textcolor rgb ink
do for [k = -1:11] {
    set xtics add (duration(10. ** k) 10. ** k)
}
set grid xtics back ls 100
plot "rules" using (low_edge):1:(high_edge - low_edge):(0) with vectors nohead ls 100, \
    "points" using 3:1:($4 - $3):(0):(model_colour(strcol(5))) with vectors nohead lw 3 \
        lc rgb variable, \
    "points" using 2:1:(filled_if(7, strcol(6))):(model_colour(strcol(5))) with points \
        pt variable ps mark(1.25) lw 1.5 lc rgb variable, \
    "points" using ($4 == $4 && $4 > $2 ? $4 : $2):1:7 with labels left offset 1.2, 0 \
        font face(10) textcolor rgb ink, \
    "words" using (low_edge):1:2 with labels left offset 1, 0 font face(10) textcolor rgb grey, \
    "names" using (low_edge):1:2 with labels right offset -1, 0 font face(10.5) textcolor rgb ink, \
    "heads" using (low_edge):1:2 with labels left offset 0.5, 0 font bold_face(11) \
        textcolor rgb ink, \
    "heads" using (high_edge):1:3 with labels right offset -0.5, 0 font face(9.5) \
        textcolor rgb grey
eval forget_heading
eval forget_legend

plot_left = 940
plot_right = 1176
plot_top = top_at + 58
plot_bottom = plot_top + words(models) * (has_inside ? 54 : 34)
below = "bytes (log scale)"
eval place_plot
set label 1 "memory for each worker" at screen across(plot_left - 90), down(top_at + 7) left \
    font bold_face(11) textcolor rgb ink
set label 2 memory_kernel eq "" ? "" : sprintf("%s, %d workers", memory_kernel, memory_workers) \
    at screen across(plot_left - 90), down(top_at + 27) left font face(9.5) textcolor rgb grey
if (memory_kernel eq "") {
    why = has_memory ? "no cell of this run has it" : "this run's columns do not have it"
    unset border
    unset xtics
    unset logscale
    set xrange [0:1]
    set yrange [1:0]
    set label 9005 ""
    set label 3 why at screen across(plot_left - 90), down(top_at + 30) left font face(10) \
        textcolor rgb grey
    plot NaN
} else {
    low_edge = memory_low / 3
    high_edge = memory_high * 30
    set logscale x 2
    set xrange [low_edge : high_edge]
    set yrange [words(models) + 0.6 : 0.4]
    unset xtics
    set xtics nomirror scale 0.5 (1) textcolor rgb ink
    units = "B KiB MiB GiB"
    do for [k = 0:17] {
        set xtics add (k % 2 ? "" : sprintf("%g %s", 4. ** k / 1024. ** (k / 5), \
            word(units, k / 5 + 1)) 4. ** k)
    }
    set label 4 has_inside ? "●  resident     ▲  the kernel's own" : "resident" at screen across(plot_left - 90), \
        down(top_at + 45) left font face(9.5) textcolor rgb grey
    plot "memory" using 2:1:(filled_if($5 == 0 ? 7 : 9, strcol(4))):(model_colour(strcol(3))) \
            with points pt variable ps mark(1.25) lw 1.5 lc rgb variable, \
        "memory" using 2:1:6 with labels left offset 1.2, 0 font face(10) textcolor rgb ink, \
        "memory_words" using (low_edge):1:2 with labels left offset 1, 0 font face(10) \
            textcolor rgb grey, \
        "memory_names" using (low_edge):1:2 with labels right offset -1, 0 font face(10.5) \
            textcolor rgb ink
}
unset multiplot
