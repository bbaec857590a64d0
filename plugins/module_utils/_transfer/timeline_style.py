# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the timeline adds to the common style sheet. Colours differ in lightness too, for those who see few of them."""

from __future__ import annotations

STYLE = """
:root{--copy:#2f78c4;--index:#d98a1f;--check:#8a4fb5;--objects:#1c9c82;--view:#c2502e;--stats:#7d9b3c;--prove:#c96a9b;
--step:#7b8794;--idle:#e9edf2;--stripe:#dde2e8}
@media (prefers-color-scheme:dark){:root{--copy:#5b9fe6;--index:#efab4d;--check:#b98ae0;--objects:#46c2a6;--view:#e9805f;
--stats:#a9c567;--prove:#e696c0;--step:#8d99a8;--idle:#242c37;--stripe:#2c3541}}
main{max-width:72rem}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;padding:0;margin:.2rem 0 .8rem;color:var(--quiet);font-size:.9rem}
.legend b{color:var(--ink);font-weight:600;font-variant-numeric:tabular-nums;white-space:nowrap}
.legend i,.causes i{display:inline-block;width:.8em;height:.8em;border-radius:.2em;margin-right:.45em;vertical-align:-.05em}
.lane{display:grid;grid-template-columns:3.6rem 1fr 2.6rem;gap:.5rem;align-items:center;margin:.2rem 0}
.lane svg{display:block;width:100%;height:1.6rem;border-radius:.25rem;overflow:hidden}
.who,.busy{font-size:.85rem;color:var(--quiet);font-variant-numeric:tabular-nums;text-align:right;white-space:nowrap}
.lane a:focus rect,.lane a:hover rect{opacity:.7}.lane a:focus{outline:none}
.ticks{display:flex;justify-content:space-between;font-size:.75rem;color:var(--quiet);border-top:1px solid var(--line);padding-top:.15rem}
.ticks,.share{font-variant-numeric:tabular-nums}
.chart{margin-top:.6rem}.chart svg{height:3.2rem}.chart path{fill:var(--copy);opacity:.55}
.waiting{fill:var(--idle);background:var(--idle)}.legend i.waiting{border:1px solid var(--line)}
.break{fill:var(--ink)}rect.bad{stroke:var(--bad);stroke-width:3;stroke-dasharray:40 20}
.k-table{fill:var(--copy);background:var(--copy)}.k-key{fill:var(--index);background:var(--index)}
.k-foreign_key{fill:var(--check);background:var(--check)}.k-large_objects{fill:var(--objects);background:var(--objects)}
.k-materialized_view{fill:var(--view);background:var(--view)}.k-statistics{fill:var(--stats);background:var(--stats)}
.k-prove{fill:var(--prove);background:var(--prove)}.k-step{fill:var(--step);background:var(--step)}
.tip{display:none}.tip:target{display:block;position:fixed;left:0;right:0;bottom:0;z-index:1;margin:0;padding:.9rem 1.2rem;
background:var(--card);border-top:2px solid var(--copy);box-shadow:0 -.3rem 1rem #0004}.tip a{margin-left:.8rem;color:inherit}
.whole svg{display:block;width:100%;height:2rem;border-radius:.35rem}
.causes{list-style:none;padding:0;margin:1rem 0}.causes>li{display:grid;grid-template-columns:4rem 1fr;gap:1rem;padding:.7rem 0;
border-top:1px solid var(--line)}.causes h3{margin:0;font-size:1.05rem}.causes p{margin:.2rem 0}
.share{text-align:right;font-size:1.5rem;line-height:1.2}.measured{list-style:none;padding:0;margin:.15rem 0;display:flex;flex-wrap:wrap;
gap:.1rem 1.2rem;font-size:.9rem;font-variant-numeric:tabular-nums}
.c-source_cpu,.c-source_disk,.c-source_wal,.c-source_lock,.c-source_other,.c-source_helper{fill:var(--objects);background:var(--objects)}
.c-source_disk{opacity:.75}.c-source_lock{opacity:.5}
.c-target_cpu,.c-target_disk,.c-target_wal,.c-target_lock,.c-target_other,.c-target_helper{fill:var(--copy);background:var(--copy)}
.c-target_disk{opacity:.7}.c-target_wal{opacity:.5}.c-target_lock{opacity:.35}
.c-between,.c-limit{fill:var(--check);background:var(--check)}.c-start{fill:var(--stripe);background:var(--stripe);opacity:.6}.c-client{fill:var(--index);background:var(--index)}
.c-critical{fill:var(--stripe);background:var(--stripe)}.c-single{fill:var(--step);background:var(--step)}
.objects td:first-child{width:42%}.objects .bar svg{width:50%}
@media (max-width:40rem){.objects td:first-child{width:auto}.lane{grid-template-columns:2.6rem 1fr 2.2rem;gap:.35rem}.who,.busy,.ticks{font-size:.72rem}
.lane svg{height:1.9rem}.causes>li{grid-template-columns:3rem 1fr;gap:.6rem}.share{font-size:1.15rem}section{padding:.9rem .8rem}}
"""
