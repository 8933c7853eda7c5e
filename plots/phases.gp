# Shows what a program's time went to, phase by phase, and the verdict on each: xbound classify --csv.
# needs: phases.csv

# A rectangle for each share of a phase, stacked in one order, and one for each run of equal verdicts.
$program << AWK
field("phase") == "" { next }
{
    n++
    from = number("start_s")
    to = from + number("seconds")
    counted = field("counted") == "1"
    skipped += !counted
    at = 0
    many = split("cpu cache memory io sync kernel unknown", class, " ")
    for (i = 1; i <= many; i++) {
        share = number(class[i] "_share")
        if (share == "" || share <= 0) continue
        printf "%.6g\t%.6g\t%.6g\t%.6g\t%s\t%d\n", from, to, at, at + share, class[i], counted \
            > "shares"
        at += share
        seen[class[i]] = 1
    }
    what = field("class") (field("level") == "" ? "" : " (" field("level") ")")
    if (what == run_what) {
        run_to = to
    } else {
        end_run()
        run_what = what
        run_class = field("class")
        run_from = from
        run_to = to
    }
    end_s = to
}

function end_run() {
    if (run_what != "")
        printf "%.6g\t%.6g\t%s\t%s\n", run_from, run_to, run_class, run_what > "runs"
}

END {
    end_run()
    print "NaN\tNaN\tNaN\tNaN\tx\t1" > "shares"
    print "NaN\tNaN\tx\tx" > "runs"
    for (i = 1; i <= many; i++)
        if (seen[class[i]]) all = all (all == "" ? "" : " ") class[i]
    print "phases = " n + 0
    print "skipped = " skipped + 0
    print "end_s = " real(end_s + 0)
    print "classes = " quoted(all)
}
AWK
set print "phases.awk"
print $program
set print
load tidy("phases.awk", "run/phases.csv")

watched = fact("command") eq "" ? "process ".fact("pid") : fact("command")
if (phases == 0) {
    heading = "What bounds ".shorten(watched, 60)
    why = "it was not watched long enough for one phase"
    eval empty_chart
    exit
}
heading = sprintf("%s: %s%s", shorten(watched, 60), fact("verdict"), \
    fact("verdict_level") eq "" ? "" : " (".fact("verdict_level").")")
remark = shorten(sprintf("Confidence %s: %s.", fact("verdict_confidence"), \
    fact("verdict_reason")).(skipped > 0 ? " Pale: starting up, not counted." : ""), 190)
height = 480
eval open_chart

item_shape = 5
do for [item in classes] {
    item_colour = class_colour(item)
    eval legend_item
}

plot_left = 104
plot_right = 1164
plot_top = 108
plot_bottom = 386
below = "seconds since the watch began"
beside = "share of its threads' time"
beside_gap = 72
eval place_plot
set xrange [0 : end_s]
set yrange [0 : 1.24]
set ytics nomirror ("0 %%" 0, "25 %%" 0.25, "50 %%" 0.5, "75 %%" 0.75, "100 %%" 1) textcolor rgb ink
set xtics nomirror textcolor rgb ink
set border 1
set style fill solid 1 noborder
# Verdicts stand above their part of time, as far as there is room for their words.
fits(from, to, text) = (to - from) / end_s * (plot_right - plot_left) > 12 + strlen(text) * 8.2 ? text : ""
colour_of(name, counted) = counted == 1 ? class_colour(name) : paler(class_colour(name))
plot "shares" using (0.5 * ($1 + $2)):(0.5 * ($3 + $4)):1:2:3:4:(colour_of(strcol(5), $6)) \
        with boxxyerror lc rgb variable, \
    "runs" using (0.5 * ($1 + $2)):(1.06):1:2:(1.04):(1.08):(class_colour(strcol(3))) \
        with boxxyerror lc rgb variable, \
    "runs" using (0.5 * ($1 + $2)):(1.15):(fits($1, $2, strcol(4))) with labels center \
        font face(11) textcolor rgb ink
