# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page of the checks adds to the common style sheet."""

from __future__ import annotations

STYLE = """
.lights{display:flex;gap:.4rem;margin:0 0 .8rem;padding:0;list-style:none}
.lights li{width:1.15rem;height:1.15rem;border-radius:50%;border:2px solid var(--line);background:var(--paper)}
.lights .red{background:var(--bad);border-color:var(--bad)}.lights .amber{background:var(--open);border-color:var(--open)}
.lights .green{background:var(--good);border-color:var(--good)}
.steps{list-style:none;padding:0;margin:0;counter-reset:step}
.steps>li{counter-increment:step;border-top:1px solid var(--line);padding:.9rem 0 .9rem 2.4rem;position:relative}
.steps>li::before{content:counter(step);position:absolute;left:0;top:.95rem;width:1.6rem;height:1.6rem;border-radius:50%;
text-align:center;line-height:1.6rem;font-size:.85rem;font-weight:700;color:var(--card);background:var(--quiet)}
.steps>li.bad::before{background:var(--bad)}.steps>li.open::before{background:var(--open)}
.steps h3{margin:0;font-size:1.05rem}.steps dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;margin:.4rem 0}
.who{margin:.1rem 0 0;color:var(--quiet);font-size:.9rem}.who b{color:var(--ink)}
.help{margin:.4rem 0;padding:.6rem .8rem;border:1px solid var(--line);border-radius:.4rem;background:var(--paper)}
.help code{display:inline;user-select:all;-webkit-user-select:all;border-bottom:1px dotted var(--quiet)}
.more{margin:.3rem 0 0;font-size:.85rem;color:var(--quiet)}.more a{color:inherit}
.tag{display:inline-block;padding:.05rem .5rem;border-radius:1rem;font-size:.75rem;font-weight:700;vertical-align:middle}
.tag.good{color:var(--good);background:var(--good-soft)}.tag.bad{color:var(--bad);background:var(--bad-soft)}
.tag.open{color:var(--open);background:var(--open-soft)}.tag.none{color:var(--quiet);background:var(--paper)}
.people td{vertical-align:top}.people td:first-child,.people td .tag{white-space:nowrap}
.people th{white-space:nowrap}.people details{margin:.3rem 0 0}
.people summary{color:var(--quiet);font-size:.9rem;cursor:pointer}
.people pre{margin:.4rem 0;padding:.6rem .8rem;border:1px solid var(--line);border-radius:.4rem;background:var(--paper);
white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem;user-select:all;-webkit-user-select:all}
.told li{margin:.4rem 0}
@media (max-width:40rem){.steps dl{grid-template-columns:1fr}.steps dt{margin-top:.3rem}}
"""
