# Reads RFC 4180 CSV for the program after it, which then finds its columns by name.
#
# Used as `awk -f csv.awk -f program FILE`: the rules here run first and let only data rows through
# to the program's own rules, where
#     field("kernel")         is the text of that column in this row, "" if empty or no such column
#     number("items_per_s")   is its value, "" if it is no finite number: absent is never 0
# Tabs and line breaks inside a field become spaces, so programs may write tab-separated tables.
# POSIX awk only (mawk is what Debian installs); sorting and medians are here as awk has neither.
# What more than one chart needs to choose or order cells is here too.

function field(name) {
    return name in csv_column ? csv_value[csv_column[name]] : ""
}

function number(name,    text) {
    text = field(name)
    return text ~ /^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$/ ? text + 0 : ""
}

# The same for ratios and logarithmic axes, which zero would break.
function positive(name,    value) {
    value = number(name)
    return value != "" && value > 0 ? value : ""
}

# Suspect cells were measured; skipped and failed ones were not.
function measured() {
    return field("status") == "ok" || field("status") == "suspect"
}

# A number for a table that gnuplot reads: absent becomes NaN, which it leaves out.
function cell(value) {
    return value == "" ? "NaN" : sprintf("%.9g", value)
}

# A number for a file that gnuplot loads, which divides 1 by 2 to 0 but 1.0e+00 by 2 to 0.5.
function real(value) {
    return sprintf("%.9e", value)
}

# A string for a file that gnuplot loads: nothing is special within '' but the quote itself.
function quoted(text) {
    gsub(/'/, "''", text)
    return "'" text "'"
}

function plural(count, noun) {
    return count " " noun (count == 1 ? "" : "s")
}

# 4096 -> 4 KiB
function binary_size(bytes,    unit, names) {
    split("B KiB MiB GiB TiB", names, " ")
    for (unit = 1; bytes >= 1024 && unit < 5; unit++)
        bytes /= 1024
    return sprintf("%.3g %s", bytes, names[unit])
}

# Sorts list[1..n] by number.
function sort_numbers(list, n,    i, j, value) {
    for (i = 2; i <= n; i++) {
        value = list[i]
        for (j = i - 1; j >= 1 && list[j] + 0 > value + 0; j--)
            list[j + 1] = list[j]
        list[j + 1] = value
    }
}

# The same by text.
function sort_texts(list, n,    i, j, value) {
    for (i = 2; i <= n; i++) {
        value = list[i]
        for (j = i - 1; j >= 1 && list[j] "" > value ""; j--)
            list[j + 1] = list[j]
        list[j + 1] = value
    }
}

# Leaves list[1..n] sorted.
function median(list, n,    half) {
    sort_numbers(list, n)
    half = int((n + 1) / 2)
    return n % 2 ? list[half] : (list[half] + list[half + 1]) / 2
}

# Those of `names` (with blanks between) that are an index of `set`, in this order.
function listed(set, names,    list, count, i, text) {
    count = split(names, list, " ")
    for (i = 1; i <= count; i++)
        if (list[i] in set)
            text = text (text == "" ? "" : " ") list[i]
    return text
}

# Cells are measured in random order; this is the order to show them in. Unknown ones come last.
BEGIN {
    all_classes = "cpu cache memory io sync"
    all_models = "threads processes loop gil"
    all_engines = "blocking epoll uring uv"
}

# A loop on several OS threads is another model to a chart than one on one: loop×2. It has no blank, as
# lists of names are parted by those; and it is added to all_models, behind the loop, when it is met.
function model_of(    name) {
    name = field("model")
    if (name != "loop" || number("lanes") == "" || number("lanes") < 2)
        return name
    name = "loop×" number("lanes")
    if (!index(" " all_models " ", " " name " "))
        sub(/ loop /, " loop " name " ", all_models)
    return name
}

# A place must not move when a name is added, so that of loop×2 is right behind that of loop.
function place(name, names,    at, lanes) {
    if (split(name, lanes, "×") == 2)
        return place(lanes[1], names) + 0.5 + lanes[2] / 1e7
    at = index(" " first_names(names) " ", " " name " ")
    return at ? at : 99
}

function first_names(names) {
    gsub(/ [^ ]*×[^ ]*/, "", names)
    return names
}

function pair_rank(model, engine) {
    return place(model, all_models) * 100 + place(engine, all_engines)
}

# Of the worker counts that index `counts`: cpus, else the next lower one, else the next higher.
function nearest_count(counts, cpus,    w, best) {
    for (w in counts) {
        w += 0
        if (best == "" || (w <= cpus && (best > cpus || w > best)) ||
            (w > cpus && best > cpus && w < best))
            best = w
    }
    return best
}

function csv_split(line,    count, end, text) {
    split("", csv_value)
    if (!index(line, "\"")) {
        gsub(/[\t\r]/, " ", line)
        split(line, csv_value, ",")
        return
    }
    for (;;) {
        count++
        if (substr(line, 1, 1) == "\"") {
            # Two quotes are one quote of the text; the first that stands alone ends the field.
            text = ""
            line = substr(line, 2)
            while ((end = index(line, "\"")) && substr(line, end + 1, 1) == "\"") {
                text = text substr(line, 1, end)
                line = substr(line, end + 2)
            }
            text = text substr(line, 1, end - 1)
            line = substr(line, end + 1)
        } else {
            end = index(line, ",")
            text = end ? substr(line, 1, end - 1) : line
            line = end ? substr(line, end) : ""
        }
        gsub(/[\t\r\n]+/, " ", text)
        csv_value[count] = text
        if (line == "")
            return
        line = substr(line, 2)
    }
}

FNR == 1 {
    csv_rows = 0
    csv_open = 0
    sub(/^\357\273\277/, "") # the byte order mark that spreadsheets add
}

{
    csv_line = csv_open ? csv_line "\n" $0 : $0
    # An odd number of quotes: a line break stands within quotes and the record goes on.
    csv_open = gsub(/"/, "\"", csv_line) % 2
    if (csv_open)
        next
    sub(/\r$/, "", csv_line)
    if (csv_line == "")
        next
    csv_split(csv_line)
    if (!csv_rows++) {
        split("", csv_column)
        for (csv_i in csv_value)
            csv_column[csv_value[csv_i]] = csv_i
        next
    }
}
