# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The style sheet of the report's page."""

from __future__ import annotations

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
.figures.small b{font-size:1.05rem}.figures .differs{border-color:var(--bad)}
.facts,.findings dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:1rem 0}
dt{color:var(--quiet)}dd{margin:0}
section{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem 1.25rem;margin:1rem 0}
h2{margin:.2rem 0 .6rem;font-size:1.25rem}ul{padding-left:1.2rem}
.badge{display:inline-block;padding:.05rem .5rem;border-radius:1rem;font-size:.75rem;font-weight:700;vertical-align:middle}
.badge.good{color:var(--good);background:var(--good-soft)}.badge.bad{color:var(--bad);background:var(--bad-soft)}
.badge.open{color:var(--open);background:var(--open-soft)}
details{margin:.8rem 0}summary{cursor:pointer;font-weight:600}
.findings{border-left:.25rem solid var(--line);padding-left:.9rem}.findings.bad{border-color:var(--bad)}
.findings.open{border-color:var(--open)}.findings li{margin:.6rem 0}.findings p{margin:.2rem 0}
.findings ol.rows{padding-left:1.6rem}.rows>li{border-top:1px solid var(--line);padding-top:.4rem}.findings .rows dl{margin:.3rem 0}
.columns{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem .9rem;padding:0;margin:.3rem 0}.findings .columns li{margin:0}
.sql{font-family:ui-monospace,monospace;font-size:.85rem;margin:.2rem 0;padding:.5rem .7rem;border:1px solid var(--line);
border-radius:.4rem;background:var(--paper);white-space:pre-wrap;overflow-wrap:anywhere;user-select:all;-webkit-user-select:all}
.rows summary{font-weight:400;color:var(--quiet)}.rows details{margin:.2rem 0}
.rule{color:var(--quiet);font-size:.8rem}code{font-family:ui-monospace,monospace;font-size:.88em;white-space:pre-wrap}
.remedy{color:var(--quiet)}.remedy:not(:empty)::before{content:"\\2192\\00a0"}.quiet{color:var(--quiet);font-size:.9rem}
table{border-collapse:collapse;width:100%;margin-top:.5rem;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--quiet);font-weight:600;font-size:.85rem}th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line)}
.n{text-align:right;white-space:nowrap}
.bar{display:flex;align-items:center;gap:.5rem;min-width:9rem}.bar i{flex:none;height:.6rem;border-radius:.3rem;background:var(--bar);
width:calc(var(--w)*.6);min-width:2px}.bar span{white-space:nowrap;font-size:.85rem;color:var(--quiet)}
@media (max-width:40rem){thead{display:none}tr{display:grid;grid-template-columns:1fr auto;border-bottom:1px solid var(--line);padding:.4rem 0}
td{border:0;padding:.1rem .3rem}td:first-child{grid-column:1/-1;font-weight:600}.facts,.findings dl{grid-template-columns:1fr}
dt{margin-top:.5rem}.n{text-align:left}}
@media print{body{background:#fff}section,header{break-inside:avoid}}
"""
