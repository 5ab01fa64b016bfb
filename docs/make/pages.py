"""Pages whose tables a command writes: what stands between a marker and its end is made anew."""

import re


def filled(page, command, tables, told):
    """``page`` with ``tables[name](told)`` between ``<!-- name: command -->`` and its end.

    Raises
    ------
    ValueError
        If a name has no marker.
    """
    for name, table in tables.items():
        marker = re.compile(rf"(<!-- {name}: {re.escape(command)} -->\n).*?(<!-- end -->)", re.S)
        if not marker.search(page):
            raise ValueError(f"no marker for the table {name!r}")
        text = table(told)
        page = marker.sub(lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page)
    return page


def markdown(head, rows):
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
