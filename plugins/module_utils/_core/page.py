# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages for people: one file each, no scripts, nothing loaded from elsewhere, everything escaped."""

from __future__ import annotations

import base64
import hashlib
from html import escape

STYLE = """
:root{--ink:#1c2430;--quiet:#5b6675;--paper:#f6f7f9;--card:#fff;--line:#dde2e8;--good:#0b7a4b;--good-soft:#e2f4eb;
--bad:#b3261e;--bad-soft:#fbe6e4;--open:#8a5a00;--open-soft:#fdf0d5;--bar:#7aa7e0}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--quiet:#9aa6b5;--paper:#12161c;--card:#1a2029;--line:#2c3541;
--good:#5fd39b;--good-soft:#12352a;--bad:#ff8a80;--bad-soft:#43201f;--open:#f3c063;--open-soft:#3b2f16;--bar:#3f6fae}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 4rem}
header{border-radius:.75rem;padding:1.75rem;background:var(--card);border:1px solid var(--line);border-left:.6rem solid}
header.good{border-left-color:var(--good);background:var(--good-soft)}
header.bad{border-left-color:var(--bad);background:var(--bad-soft)}
header.open{border-left-color:var(--open);background:var(--open-soft)}
.over{margin:0;color:var(--quiet)}h1{margin:.2rem 0 .5rem;font-size:clamp(1.6rem,5vw,2.5rem);line-height:1.15}
.word{font-size:.45em;letter-spacing:.08em;vertical-align:middle;font-weight:600;color:var(--quiet)}
.good .word{color:var(--good)}.bad .word{color:var(--bad)}.open .word{color:var(--open)}
.why{margin:0;font-size:1.1rem}
.figures{list-style:none;display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.6rem;padding:0;margin:1rem 0}
.figures li{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.7rem .9rem;color:var(--quiet)}
.figures b{display:block;white-space:nowrap;font-size:1.15rem;color:var(--ink);font-variant-numeric:tabular-nums}
.figures.small b{font-size:1.05rem}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:1rem 0}
dt{color:var(--quiet)}dd{margin:0}
section{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem 1.25rem;margin:1rem 0}
h2{margin:.2rem 0 .6rem;font-size:1.25rem}ul{padding-left:1.2rem}
details{margin:.8rem 0}summary{cursor:pointer;font-weight:600}
code{font-family:ui-monospace,monospace;font-size:.88em;white-space:pre-wrap}
.remedy{color:var(--quiet)}.remedy:not(:empty)::before{content:"\\2192\\00a0"}.quiet{color:var(--quiet);font-size:.9rem}
table{border-collapse:collapse;width:100%;margin-top:.5rem;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--quiet);font-weight:600;font-size:.85rem}th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line)}
.n,th.n{text-align:right;white-space:nowrap}
.bar{display:flex;align-items:center;gap:.5rem;min-width:9rem}.bar svg{flex:none;width:60%;height:.6rem;border-radius:.3rem}
.bar rect{fill:var(--bar)}.bar span{white-space:nowrap;font-size:.85rem;color:var(--quiet)}
@media (max-width:40rem){thead{display:none}tr{display:grid;grid-template-columns:1fr auto;border-bottom:1px solid var(--line);padding:.4rem 0}
td{border:0;padding:.1rem .3rem}td:first-child{grid-column:1/-1;font-weight:600}.facts{grid-template-columns:1fr}
dt{margin-top:.5rem}.n{text-align:left}}
@media print{body{background:#fff}section,header{break-inside:avoid}}
"""


def text(value) -> str:
    """Return I(value) escaped for HTML."""
    return escape(str(value), quote=True)


def number(digits) -> str:
    """Return a decimal string with thin spaces between groups of three; an unknown one as a dash."""
    return f"{int(digits):,}".replace(",", "\u202f") if str(digits).strip() else "\u2013"


def share_bar(share: float, words: str) -> str:
    """Return a bar of a share of the longest one, 0 to 1, with words behind it."""
    width = min(max(share, 0.004), 1.0) * 100
    return (
        f'<span class="bar"><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width:.1f}" height="1"/></svg><span>{text(words)}</span></span>'
    )


def document(title: str, style: str, body: str) -> str:
    """Return a whole page; its policy lets it show this style sheet and load, run or send nothing.

    :param title: plain text
    :param style: style sheet to follow the common one
    :param body: HTML, escaped already, without style attributes
    """
    sheet = STYLE + style
    digest = base64.b64encode(hashlib.sha256(sheet.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<link rel="icon" href="data:,"><title>{text(title)}</title><style>{sheet}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )
