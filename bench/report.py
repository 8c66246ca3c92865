# SPDX-License-Identifier: LGPL-2.1-or-later
"""Markdown that can be pasted into README.md as it is."""


def heading(title, text):
    print(f"### {title}\n\n{text}\n")


def table(head, rows):
    rows = [[str(cell) for cell in row] for row in [head] + rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for n, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("| " + " | ".join(cells) + " |")
        if n == 0:
            print("|" + "|".join(["-" * (widths[0] + 2)]
                                 + ["-" * (w + 1) + ":" for w in widths[1:]]) + "|")
    print(flush=True)


def remarks(results, goals):
    """Why something is missing or different, then each ratio that has a goal, beside that goal."""
    for name, result in results.items():
        if result["note"]:
            print(f"* {name}: {result['note']}")
    for text, value, bound in goals:
        print(f"* {text}: {value} (goal {bound})")
    print(flush=True)
