# Rows of a table, read by csv.awk before, as lines of the fields that `columns` names, with a
# character between that no field holds.
BEGIN { n = split(columns, column, ",") }
{
    line = field(column[1])
    for (i = 2; i <= n; i++)
        line = line "\037" field(column[i])
    print line
}
