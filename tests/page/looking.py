# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of windows, questions to a page, and a place for pictures."""

from __future__ import annotations

from pathlib import Path

PICTURES = Path(__file__).resolve().parents[2] / ".cache" / "page"
PHONE, DESK = (390, 844), (1280, 900)
WIDE = """
(() => {
  const limit = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll('body *')].filter(item => item.getBoundingClientRect().right > limit + 0.5);
  return {
    limit, width: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
    wide: wide.slice(0, 5).map(item => item.tagName + '.' + item.className + ': ' + item.textContent.slice(0, 60)),
  };
})()
"""
SMALL = """
[...document.querySelectorAll('body *')].filter(item => item.childNodes.length && [...item.childNodes].some(
  node => node.nodeType === 3 && node.textContent.trim())).map(item => parseFloat(getComputedStyle(item).fontSize))
"""


def keep(name: str, data: bytes) -> None:
    """Leave a picture for people to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.png").write_bytes(data)
