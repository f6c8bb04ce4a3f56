"""The transparency report as one page of HTML: bars are boxes of CSS, so it needs no script and no other file.

Rule: every text is escaped, the page loads nothing, and each number stands beside its bar, so that it reads in print,
without colours and by a screen reader. What is told is `clients.auditing.report`'s to say, in the words of
`clients.auditing.report_text`.
"""

from html import escape

from clients.auditing.report import Listing, Report
from clients.auditing.report_text import WITHHELD, hours_of, total_of, words_of

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; } p { margin: 0.5rem 0; }
.about { color: #444; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.25rem 0.5rem; border-bottom: 1px solid #ddd; vertical-align: top; }
th { font-weight: 600; width: 32%; overflow-wrap: anywhere; }
td.number { text-align: right; width: 7rem; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.bar { width: 40%; } .bar div { height: 0.9rem; margin-top: 0.3rem; background: #2b5c8a; border: 1px solid #2b5c8a; }
.why { display: block; font-weight: 400; font-size: 0.85rem; color: #444; }
tr.all th, tr.all td { border-top: 2px solid #888; } tr.others { color: #444; }
@media print { body { margin: 0; max-width: none; } section { break-inside: avoid; }
  .bar div { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""


def page(report: Report) -> str:
    """The whole page."""
    title = escape(f"Transparency report: {report.space}")
    about = "\n".join(f'<p class="about">{escape(words)}</p>' for words in words_of(report))
    sections = "\n".join(map(_section, report.listings))
    hours = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="number">{escape(told)}</td></tr>'
        for name, told in hours_of(report)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{about}\n{sections}\n"
        f"<section>\n<h2>Hours from filing to answer</h2>\n<table>\n{hours}\n</table>\n</section>\n"
        "</body>\n</html>\n"
    )


def _section(listing: Listing) -> str:
    longest = max(1, *(row.number for row in listing.rows), 1)
    rows = [
        f'<tr><th scope="row">{escape(row.name)}{_why(row.explanation)}</th><td class="number">{row.number}</td>'
        f'<td class="bar"><div style="width:{100 * row.number / longest:.1f}%"></div></td></tr>'
        for row in listing.rows
    ]
    if listing.withheld:
        rows.append(_plain("others", WITHHELD, "others"))
    summed = total_of(listing)
    if summed is not None:
        rows.append(_plain("all", summed, "all"))
    note = f"<p>{escape(listing.note)}</p>\n" if listing.note else ""
    table = "\n".join(rows)
    return f"<section>\n<h2>{escape(listing.title)}</h2>\n<table>\n{table}\n</table>\n{note}</section>"


def _plain(name: str, told: str, kind: str) -> str:
    return f'<tr class="{kind}"><th scope="row">{name}</th><td class="number">{told}</td><td></td></tr>'


def _why(explanation: str) -> str:
    return f'<span class="why">{escape(explanation)}</span>' if explanation else ""
