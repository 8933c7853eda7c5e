# Gives every chart the same sizes, fonts, colours, headings and legend; loaded before each of them.
#
# scripts/plot.sh runs `gnuplot style.gp CHART.gp` with `chart` (its name) and `format` (png or svg)
# set, in a scratch folder with run/ (the run) and csv.awk (scripts/csv.awk) in it. A chart then
#   1. writes an awk program to a file, as its data are a few joins away from the CSV, and calls
#      tidy(PROGRAM, CSV): what that prints are gnuplot assignments, to be loaded;
#   2. sets `heading`, `remark` and `height` and evaluates open_chart (or, with `why` set,
#      empty_chart, and exits);
#   3. plots. Gnuplot has no procedures before 6.0, so the ones here are strings for `eval`; they
#      read the variables named in their comments.

set encoding utf8
set datafile separator tab
set datafile missing "NaN"
set samples 2

# What kind of thing has which colour and shape, in all charts. Colours are from the palettes of
# Okabe & Ito (2008) and Tol (2021), told apart by colour-blind readers.
model_colour(name) = name eq "threads" ? 0x0072B2 : name eq "processes" ? 0xD55E00 : \
    name eq "loop" ? 0x009E73 : strstrt(name, "loop×") == 1 ? 0x00523C : \
    name eq "gil" ? 0xAA4499 : 0x444444
class_colour(name) = name eq "cpu" ? 0xE69F00 : name eq "cache" ? 0x3C9BD0 : \
    name eq "memory" ? 0x332288 : name eq "io" ? 0x999933 : name eq "sync" ? 0x882255 : \
    name eq "kernel" ? 0x44AA99 : name eq "unknown" ? 0xDDDDDD : 0x444444
class_shape(name) = name eq "cpu" ? 5 : name eq "cache" ? 7 : name eq "memory" ? 9 : \
    name eq "io" ? 11 : name eq "sync" ? 13 : 15
engine_shape(name) = name eq "blocking" ? 7 : name eq "epoll" ? 9 : name eq "uring" ? 5 : \
    name eq "uv" ? 13 : 11
# Gnuplot's shapes come in pairs, hollow before filled. Hollow is for suspect cells, everywhere.
filled_if(shape, status) = status eq "suspect" ? shape - 1 : shape
paler(colour) = colour + int((0xFF - colour % 256) * 0.55) + \
    256 * int((0xFF - colour / 256 % 256) * 0.55) + 65536 * int((0xFF - colour / 65536) * 0.55)
ink = 0x222222
grey = 0x767676
pale = 0xD0D0D0

# Sizes. All charts are 1200 wide and as high as they need; a README shows them about 850 wide.
# Type is in points for the PNG, where a point is 4/3 pixels, and in pixels for the SVG.
width = 1200
height = 700
text_scale = format eq "svg" ? 4. / 3 : 1.
face(points) = sprintf("DejaVu Sans,%.4g", points * text_scale)
bold_face(points) = sprintf("DejaVu Sans:Bold,%.4g", points * text_scale)
mark(size) = size * (format eq "svg" ? 0.62 : 1) # points of the same size in both
text_width(text) = 24 + strlen(text) * 7.8 # pixels at 12 points, on the safe side
across(pixels) = pixels / (1. * width)
down(pixels) = 1 - pixels / (1. * height)

# The machine, from provenance.csv: fact("pus") is "" where it is not known.
set print "facts.awk"
print "field(\"key\") ~ /^[a-z][a-z0-9_]*$/ {"
print "    print \"fact_\" field(\"key\") \" = \" quoted(field(\"value\"))"
print "}"
set print
tidy(program, csv) = system(sprintf("awk -f csv.awk -f %s -v cpus=%d %s > %s.out", program, cpus, \
    csv, program)).program.".out"
cpus = 0
load tidy("facts.awk", "run/provenance.csv")
fact(key) = exists("fact_".key) ? value("fact_".key) : ""
cpus = fact("pus") eq "" ? 0 : int(real(fact("pus")))

shorten(text, limit) = strlen(text) <= limit ? text : text[1 : limit - 1]."…"
drop(text, word) = strstrt(text, word) == 0 ? text : text[1 : strstrt(text, word) - 1]. \
    text[strstrt(text, word) + strlen(word) : *]
plain(name) = drop(drop(drop(drop(name, "(R)"), "(R)"), "(TM)"), "(tm)")
# A factor for an axis: 1/8, 1, 8.
fraction(value) = value >= 1 ? sprintf("%g", value) : sprintf("1/%g", 1 / value)
# Three digits, never an exponent: 0.123, 12.3, 1234.
figure(value) = value >= 100 ? sprintf("%.0f", value) : sprintf("%.3g", value)
or_else(text, instead) = text eq "" ? instead : text
machine = sprintf("%s  ·  %s  ·  %s  ·  run %s", \
    shorten(or_else(plain(fact("cpu_model")), "unknown CPU"), 56), \
    cpus == 0 ? "? CPUs" : cpus == 1 ? "1 CPU" : sprintf("%d CPUs", cpus), \
    fact("kernel") eq "" ? "unknown kernel" : \
        shorten("Linux ".drop(fact("kernel"), "Linux "), 40), \
    shorten(or_else(fact("run_id"), "unnamed"), 28))

# open_chart reads heading, remark (a footnote, or "") and height.
remark = ""
open_chart = "set terminal ".(format eq "svg" ? "svg dynamic" : "pngcairo"). \
    " noenhanced size width, height font face(12) background 'white'; ". \
    "set output chart.'.'.format; ". \
    "set label 9001 heading at screen across(24), down(26) font bold_face(15) ". \
    "textcolor rgb ink; ". \
    "set label 9002 machine at screen across(24), down(54) font face(11) textcolor rgb grey; ". \
    "set label 9003 remark at screen across(24), down(height - 18) font face(10.5) ". \
    "textcolor rgb grey"
# Labels are drawn with every plot of a multiplot; text drawn twice looks bold.
forget_heading = "unset label 9001; unset label 9002; unset label 9003"

# empty_chart reads heading and why: a chart without data says so in its place.
empty_chart = "remark = ''; height = 700; eval open_chart; eval blank_canvas; ". \
    "set label 9004 why at screen 0.5, 0.5 center font face(13) textcolor rgb grey; ". \
    "plot [0:1] [0:1] NaN notitle"
blank_canvas = "unset border; unset tics; unset key; unset xlabel; unset ylabel; unset grid; ". \
    "unset logscale; set lmargin at screen 0; set rmargin at screen 1; set tmargin at screen 1; ". \
    "set bmargin at screen 0"

# place_plot reads plot_left, plot_right, plot_top and plot_bottom (pixels from the left or top) and
# the titles of the axes, or "": below and beside, which stands beside_gap left of its axis. Text is
# placed by the pixel, as what gnuplot takes for the height of a line differs between SVG and PNG.
below = ""
beside = ""
beside_gap = 54
place_plot = "set lmargin at screen across(plot_left); ". \
    "set rmargin at screen across(plot_right); set tmargin at screen down(plot_top); ". \
    "set bmargin at screen down(plot_bottom); ". \
    "set label 9005 below at screen across((plot_left + plot_right) / 2.), ". \
    "down(plot_bottom + 46) center textcolor rgb ink; ". \
    "set label 9006 beside at screen across(plot_left - beside_gap), ". \
    "down((plot_top + plot_bottom) / 2.) center rotate textcolor rgb ink"

# legend_item reads item, item_shape and item_colour, writes one entry of a legend that runs along
# one line and moves legend_x on; legend_line writes one with the sample of a dashed line.
legend_x = 30
legend_y = 84
legend_tag = 8000
legend_text = "legend_tag = legend_tag + 1; ". \
    "set label legend_tag item at screen across(legend_x), down(legend_y) left ". \
    "textcolor rgb ink; ". \
    "legend_x = legend_x + text_width(item)"
legend_item = "legend_tag = legend_tag + 1; ". \
    "set label legend_tag '' at screen across(legend_x), down(legend_y) ". \
    "point pt item_shape ps mark(1.6) lw 2 lc rgb item_colour; ". \
    "legend_x = legend_x + 14; eval legend_text; legend_x = legend_x + 14"
legend_line = "set arrow 8000 from screen across(legend_x), down(legend_y) ". \
    "to screen across(legend_x + 46), down(legend_y) nohead lc rgb ink dt (6, 4) lw 2; ". \
    "legend_x = legend_x + 56; eval legend_text"
forget_legend = "unset arrow 8000; do for [tag = 8001:legend_tag] { unset label tag }"

set style line 100 lc rgb pale lw 1
set tics nomirror textcolor rgb ink
set border lc rgb grey
set key off
set style textbox opaque noborder margins 0.3, 0.2
