# The Markdown table of scripts/readme-table.sh, which says what is in it.

{
    n++
    kernel[n] = field("kernel"); class[n] = field("class"); model[n] = field("model")
    engine[n] = field("engine"); workers[n] = number("workers"); status[n] = field("status")
    variant[n] = field("bytes_per_worker") " " field("depth") " " field("isa") " " field("bind")
    stuck[n] = deadlocked()
    if (!measured()) next
    value[n] = positive("items_per_s")
    lo[n] = positive("items_per_s_lo"); hi[n] = positive("items_per_s_hi")
}

function ratio(value) {
    return value >= 99.5 ? sprintf("%.0f", value) : value >= 9.95 ? sprintf("%.1f", value) \
        : value >= 0.0995 ? sprintf("%.2f", value) : sprintf("%.2g", value)
}

# The best of a model's engines, at these workers and the first size of the row.
function best_of(k, m, w, v,    i, best) {
    for (i = 1; i <= n; i++)
        if (kernel[i] == k && model[i] == m && workers[i] == w && (v == "" || variant[i] == v) &&
            (!best || value[i] + 0 > value[best] + 0))
            best = i
    return best
}

# Of a kernel's numbers of workers: of I/O the most that threads have a figure at.
function workers_of(k,    i, seen, most) {
    for (i = 1; i <= n; i++)
        if (kernel[i] == k && (value[i] != "" || stuck[i])) {
            seen[workers[i]] = 1
            if (model[i] == "threads" && workers[i] > most) most = workers[i]
        }
    if (class_of[k] == "io" && most) return most
    return nearest_count(seen, cpus > 1 ? cpus : 2)
}

function text_of(i, base, wins,    text) {
    if (!i) return "not run"
    if (stuck[i]) return "deadlock"
    if (status[i] == "skipped" || status[i] == "failed") return status[i]
    if (value[i] == "") return "no figure"
    if (!base) return "-"
    text = ratio(value[i] / base)
    if (wins) text = "**" text "**"
    if (lo[i] != "" && hi[i] != "")
        text = text " [" ratio(lo[i] / base) ", " ratio(hi[i] / base) "]"
    if (class[i] == "io") text = text " " engine[i]
    if (status[i] == "suspect") text = text " (suspect)"
    return text
}

function row(k,    w, c, i, pick, base, first, second, m, v) {
    w = workers_of(k)
    if (w == "") return
    v = ""
    for (c = 1; c <= models; c++) {
        pick[c] = best_of(k, model_list[c], w, v)
        i = pick[c]
        if (i && v == "" && value[i] != "") v = variant[i]
    }
    base = pick[1] && model_list[1] == "threads" ? value[pick[1]] : ""
    for (c = 1; c <= models; c++) {
        i = pick[c]
        if (!i || value[i] == "") continue
        if (!first || value[i] > value[first]) {
            second = first
            first = i
        } else if (!second || value[i] > value[second]) second = i
    }
    # Without intervals nothing is certain; the second is whoever reaches highest.
    m = ""
    for (c = 1; c <= models; c++) {
        i = pick[c]
        if (!i || value[i] == "" || i == first) continue
        if (hi[i] == "" || lo[first] == "" || hi[i] >= lo[first]) m = "overlaps"
    }
    printf "| %s | %d |", k, w
    for (c = 1; c <= models; c++)
        printf " %s |", text_of(pick[c], base, pick[c] == first && second && m == "")
    printf "\n"
}

END {
    for (i = 1; i <= n; i++) class_of[kernel[i]] = class[i]
    count = split(chosen, names, " ")
    # A model that no row was run under has no column.
    for (j = 1; j <= count; j++) {
        at = names[j] in class_of ? workers_of(names[j]) : ""
        for (i = 1; i <= n && at != ""; i++)
            if (kernel[i] == names[j] && workers[i] == at) shown[model[i]] = 1
    }
    models = split(listed(shown, all_models), model_list, " ")
    printf "| work | workers |"
    for (c = 1; c <= models; c++) printf " %s |", model_list[c]
    printf "\n|---|---|"
    for (c = 1; c <= models; c++) printf "---|"
    printf "\n"
    for (j = 1; j <= count; j++)
        if (names[j] in class_of) row(names[j])
}
