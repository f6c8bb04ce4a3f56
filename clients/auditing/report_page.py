"""The transparency report as one page of HTML: bars are boxes of CSS, so it needs no script and no other file.

Rule: every text is escaped, the page loads nothing, and each number stands in words beside its bar, so that it reads in
print, on a telephone, without colours and by a screen reader, which is told to pass the bars over. What is told is
`clients.auditing.report`'s to say, in the words of `clients.auditing.report_text` and `clients.auditing.report_words`.
"""

from html import escape

from clients.auditing.report import Listing, Report, Row
from clients.auditing.report_text import WITHHELD, hours_of, total_of, words_of
from clients.auditing.report_words import ABOUT, LEADS, TIER_WORDS, headline, in_order, period_in_words
from clients.auditing.small_cells import LEAST

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 0.2rem; }
p { margin: 0.5rem 0; } .kind { margin: 0; color: #444; } .period { font-size: 1.15rem; margin: 0.2rem 0 1rem; }
.headline { font-size: 1.25rem; border-left: 0.3rem solid #2b5c8a; padding-left: 0.8rem; margin: 1rem 0; }
.lead, .note { color: #444; } .note { font-size: 0.9rem; } .checked { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.35rem 0.5rem 0.35rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
th { font-weight: 600; overflow-wrap: anywhere; }
td.number { text-align: right; width: 5.5rem; padding-right: 1rem; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
td.bar { width: 32%; padding-right: 0; }
.bar div { box-sizing: border-box; height: 0.9rem; margin-top: 0.3rem; background: #2b5c8a;
  border: 1px solid #2b5c8a; }
.why { display: block; font-weight: 400; font-size: 0.9rem; color: #444; }
tr.all th, tr.all td { border-top: 2px solid #888; } tr.others th { font-weight: 400; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 36rem) {
  tr { display: grid; grid-template-columns: 1fr auto; border-bottom: 1px solid #ddd; padding: 0.4rem 0; }
  th, td { border: 0; padding: 0; } td.number { width: auto; padding: 0 0 0 1rem; }
  td.bar { grid-column: 1 / -1; width: 100%; } tr.all { border-top: 2px solid #888; }
  tr.all th, tr.all td { border-top: 0; } td.bar:empty { display: none; } }
@media print { body { margin: 0; max-width: none; font-size: 10.5pt; } section { break-inside: avoid; }
  h2 { break-after: avoid; } .bar div { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""


def page(report: Report) -> str:
    """The whole page."""
    title, period = escape(report.space), escape(period_in_words(report))
    when, protected, checked = map(escape, words_of(report))
    sections = "\n".join(map(_section, report.listings))
    hours = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="number">{escape(told)}</td></tr>'
        for name, told in hours_of(report)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Transparency report: {title}, {period}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<header>\n<p class="kind">Transparency report</p>\n<h1>{title}</h1>\n<p class="period">{period}</p>\n'
        f'<p>{escape(ABOUT)}</p>\n<p class="headline">{escape(headline(report))}</p>\n</header>\n<main>\n'
        f"<section>\n<h2>What is counted, and what is not told</h2>\n<p>{when}</p>\n<p>{protected}</p>\n</section>\n"
        f"{sections}\n<section>\n<h2>Hours from filing to answer</h2>\n"
        '<p class="lead">From when a request was filed until something was told or refused.</p>\n'
        f"<table>\n{_heads('Answers', 'Hours')}\n{hours}\n</table>\n</section>\n"
        f'<section>\n<h2>How this can be checked</h2>\n<p class="checked">{checked}</p>\n</section>\n'
        "</main>\n</body>\n</html>\n"
    )


def _section(listing: Listing) -> str:
    longest = max(1, *(row.number for row in listing.rows), 1)
    in_turn = sorted(listing.rows, key=lambda row: in_order(listing.key, row.name))
    rows = [_row(listing, row, longest) for row in in_turn]
    if listing.withheld:
        why = f"each below {LEAST}, or needed to hide one that is"
        rows.append(_plain(f"others{_why(why)}", WITHHELD, "others"))
    summed = total_of(listing)
    if summed is not None:
        rows.append(_plain("all", summed, "all"))
    lead = f'<p class="lead">{escape(LEADS[listing.key])}</p>\n' if listing.key in LEADS else ""
    note = f'<p class="note">{escape(listing.note)}</p>\n' if listing.note else ""
    table = "\n".join(rows)
    heads = _heads(listing.title, "Number", "Bar")
    return f"<section>\n<h2>{escape(listing.title)}</h2>\n{lead}<table>\n{heads}\n{table}\n</table>\n{note}</section>"


def _heads(*names: str) -> str:
    """Heads of the columns, for who has the page read aloud."""
    cells = "".join(f'<th scope="col"><span class="hidden">{escape(name)}</span></th>' for name in names)
    return f'<tr class="hidden">{cells}</tr>'


def _row(listing: Listing, row: Row, longest: int) -> str:
    why = TIER_WORDS.get(row.name, "") if listing.key == "tiers" else row.explanation
    # The bar says again what the number says, so it is no picture that would need words.
    bar = f'<div style="width:{100 * row.number / longest:.1f}%"></div>' if row.number else ""
    return (
        f'<tr><th scope="row">{escape(row.name)}{_why(why)}</th><td class="number">{row.number:,}</td>'
        f'<td class="bar" aria-hidden="true">{bar}</td></tr>'
    )


def _plain(name: str, told: str, kind: str) -> str:
    return f'<tr class="{kind}"><th scope="row">{name}</th><td class="number">{told}</td><td class="bar"></td></tr>'


def _why(explanation: str) -> str:
    return f'<span class="why">{escape(explanation)}</span>' if explanation else ""
