# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report's page adds to the common style sheet."""

from __future__ import annotations

STYLE = """
.figures .differs{border-color:var(--bad)}
.findings dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:1rem 0}
.badge{display:inline-block;white-space:nowrap;padding:.05rem .5rem;border-radius:1rem;font-size:.75rem;font-weight:700;vertical-align:middle}
.badge.good{color:var(--good);background:var(--good-soft)}.badge.bad{color:var(--bad);background:var(--bad-soft)}
.badge.open{color:var(--open);background:var(--open-soft)}
.findings{border-left:.25rem solid var(--line);padding-left:.9rem}.findings.bad{border-color:var(--bad)}
.findings.open{border-color:var(--open)}.findings li{margin:.6rem 0}.findings p{margin:.2rem 0}
.findings ol.rows{padding-left:1.6rem}.rows>li{border-top:1px solid var(--line);padding-top:.4rem}.findings .rows dl{margin:.3rem 0}
.columns{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem .9rem;padding:0;margin:.3rem 0}.findings .columns li{margin:0}
.sql{font-family:ui-monospace,monospace;font-size:.85rem;margin:.2rem 0;padding:.5rem .7rem;border:1px solid var(--line);
border-radius:.4rem;background:var(--paper);white-space:pre-wrap;overflow-wrap:anywhere;user-select:all;-webkit-user-select:all}
.rows summary{font-weight:400;color:var(--quiet)}.rows details{margin:.2rem 0}
.rule{color:var(--quiet);font-size:.8rem}
.part{display:grid;grid-template-columns:11rem 1fr 4.5rem;gap:.2rem .7rem;align-items:center;margin:.25rem 0}
.part svg{display:block;width:100%;height:1.1rem;border-radius:.25rem;background:var(--paper)}
.part .what,.part .spent{font-size:.88rem}.part .spent{text-align:right;white-space:nowrap;color:var(--quiet);font-variant-numeric:tabular-nums}
.part .ticks{display:flex;justify-content:space-between;font-size:.75rem;color:var(--quiet);border-top:1px solid var(--line);padding-top:.15rem}
.p-rows{fill:var(--rows)}.p-rows.p-target{fill:var(--rows-target)}.p-find{fill:var(--bad)}.p-other{fill:var(--others)}
.tables td:first-child{width:34%}.tables td:last-child{width:1%}.tables .share{width:22%}
section h3{margin:.9rem 0 .3rem;font-size:1rem}
:root{--rows:#2f6db5;--rows-target:#1f8a76;--others:#76818f}
@media (prefers-color-scheme:dark){:root{--rows:#6ea8ec;--rows-target:#4cc2aa;--others:#8b96a5}}
@media (max-width:40rem){.tables td:first-child,.tables td:last-child,.tables .share{width:auto}}
@media (max-width:40rem){.part{grid-template-columns:1fr auto}.part svg,.part .ticks{grid-column:1/-1;grid-row:2}.part.scale>span{display:none}}
@media (max-width:40rem){.findings dl{grid-template-columns:1fr}}
"""
