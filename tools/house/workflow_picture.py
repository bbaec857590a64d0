# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw a workflow of the AWX pattern: what follows a success from left to right, and where every failure leads."""

from __future__ import annotations

from xml.sax.saxutils import escape

WIDTH, HEIGHT, GAP, ROW, TOP, LEFT = 200, 62, 34, 128, 70, 40
PER_ROW = 4
LINE = 26
PAINT = {
    "job_template": ("#f3f7fc", "#0b6bcb"),
    "workflow_approval": ("#fff6dd", "#8a5a00"),
    "end": ("#fdeceb", "#b3261e"),
}


def chain(workflow: dict) -> list:
    """Return the nodes in the order in which they follow each other when all goes well."""
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    after = {name: [edge["identifier"] for edge in node["related"]["success_nodes"]] for name, node in nodes.items()}
    begun = set(nodes) - {name for names in after.values() for name in names} - failures(workflow)
    (name,) = begun
    found = [nodes[name]]
    while after[name]:
        (name,) = after[name]
        found.append(nodes[name])
    return found


def failures(workflow: dict) -> set:
    """Return the nodes that failures lead to."""
    return {edge["identifier"] for node in workflow["workflow_nodes"] for edge in node["related"]["failure_nodes"]}


def place(number: int) -> tuple[int, int]:
    """Return where the n-th box begins; every other row goes back."""
    row, column = divmod(number, PER_ROW)
    return LEFT + column * (WIDTH + GAP), TOP + row * ROW


def box(x: int, y: int, width: int, title: str, line: str, kind: str) -> str:
    """Return one box with two lines of text."""
    fill, edge = PAINT[kind]
    middle = x + width // 2
    size = 15 if len(title) < 21 else 13
    return (
        f'  <rect x="{x}" y="{y}" width="{width}" height="{HEIGHT}" rx="8" fill="{fill}" stroke="{edge}" stroke-width="2"/>\n'
        f'  <text x="{middle}" y="{y + 27}" font-size="{size}" font-weight="bold">{escape(title)}</text>\n'
        f'  <text x="{middle}" y="{y + 46}" font-size="12">{escape(line)}</text>\n'
    )


def arrow(path: str, kind: str) -> str:
    """Return one line with a head."""
    return f'  <path class="{kind}" d="{path}" marker-end="url(#{kind})"/>\n'


def draw(workflow: dict) -> str:
    """Return the picture."""
    nodes = chain(workflow)
    rows = -(-len(nodes) // PER_ROW)
    width = 2 * LEFT + PER_ROW * WIDTH + (PER_ROW - 1) * GAP + LINE
    end = TOP + rows * ROW
    (last,) = failures(workflow)
    parts = []
    for number, node in enumerate(nodes):
        x, y = place(number)
        wanted = node["unified_job_template"]
        asks = wanted["type"] == "workflow_approval"
        title = wanted["name"] if asks else wanted["name"].rpartition(": ")[2]
        parts.append(box(x, y, WIDTH, title, "a person is asked" if asks else "job template", wanted["type"]))
        if number + 1 < len(nodes):
            to_x, to_y = place(number + 1)
            middle = y + HEIGHT // 2
            if to_y == y:
                parts.append(arrow(f"M{x + WIDTH} {middle} H{to_x}", "good"))
            else:
                turn = y + HEIGHT + 44
                parts.append(
                    arrow(
                        f"M{x + WIDTH} {middle} h{GAP // 2} V{turn} H{to_x - 14} V{to_y + HEIGHT // 2} H{to_x}", "good"
                    )
                )
        # Failures run to a line below each row, and from there down the right edge of the picture.
        drop = y + HEIGHT + 22
        parts.append(f'  <path class="bad" d="M{x + WIDTH // 2} {y + HEIGHT} V{drop}"/>\n')
        if x == LEFT:
            parts.append(f'  <path class="bad" d="M{x + WIDTH // 2} {drop} H{width - LEFT}"/>\n')
    parts.append(arrow(f"M{width - LEFT} {TOP + HEIGHT + 22} V{end + HEIGHT // 2} H{LEFT + 4 * WIDTH}", "bad"))
    parts.append(
        box(
            LEFT, end, 4 * WIDTH - 4, last, "how far each migration came; nothing is removed; the workflow fails", "end"
        )
    )
    words = ", ".join(node["identifier"].replace("_", " ") for node in nodes)
    return (
        "<!-- Written by tools/house/pattern.py. -->\n"
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {end + HEIGHT + 20}" width="{width}" '
        f'height="{end + HEIGHT + 20}" role="img" aria-labelledby="title description" font-family="Helvetica, Arial, sans-serif">\n'
        f'  <title id="title">The workflow {escape(workflow["name"])}</title>\n'
        f'  <desc id="description">In this order: {escape(words)}. Every failure, and every approval that is denied, leads to '
        f"{escape(last)}.</desc>\n"
        "  <style>text{fill:#1f2328;text-anchor:middle}path{fill:none;stroke-width:2}.good{stroke:#2f7d32}.bad{stroke:#b3261e;"
        "stroke-dasharray:5 4}</style>\n"
        "  <defs>\n"
        + "".join(
            f'    <marker id="{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
            f'<path d="M0 0 L10 5 L0 10 z" style="fill:{colour};stroke:none"/></marker>\n'
            for kind, colour in (("good", "#2f7d32"), ("bad", "#b3261e"))
        )
        + f'  </defs>\n  <rect x="1" y="1" width="{width - 2}" height="{end + HEIGHT + 18}" rx="10" fill="#ffffff" stroke="#8b949e"/>\n'
        f'  <text x="{LEFT}" y="42" font-size="17" font-weight="bold" style="text-anchor:start">{escape(workflow["name"])}</text>\n'
        + "".join(parts)
        + "</svg>\n"
    )
