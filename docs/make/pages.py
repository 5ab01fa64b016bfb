"""Pages whose tables a command writes: it replaces what stands between a marker and its end."""

import re


def filled(page, command, tables, results):
    """``page`` with ``tables[name](results)`` between ``<!-- name: command -->`` and its end.

    Raises
    ------
    ValueError
        If a name has no marker.
    """
    for name, table in tables.items():
        start = re.escape(f"<!-- {name}: {command} -->")
        marker = re.compile(rf"({start}\n).*?(<!-- end -->)", re.S)
        if not marker.search(page):
            raise ValueError(f"no marker for the table {name!r}")
        text = table(results)
        page = marker.sub(lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page)
    return page
