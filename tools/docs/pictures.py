# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the network guide: `python -m tools.docs.pictures` writes docs/images/network-*.svg.

A picture is networks (dashed), machines in them, and lines: who opens a connection to whom, on which port.
"""

from __future__ import annotations

import pathlib
import sys
from typing import NamedTuple
from xml.sax.saxutils import escape

IMAGES = pathlib.Path(__file__).resolve().parents[2] / "docs" / "images"
WIDTH, HEIGHT = 900, 352
# Where machines stand in their networks.
TOP = 158
MACHINE_WIDTH, MACHINE_HEIGHT = 176, 76
COLOURS = {"data": "#0b6bcb", "drive": "#57606a", "name": "#8a5a00"}


class Network(NamedTuple):
    """A network: where it lies, what it is called."""

    left: int
    width: int
    name: str
    top: int = 106
    height: int = 230


class Machine(NamedTuple):
    """A machine: where it stands, two lines of words."""

    left: int
    top: int
    name: str
    words: str
    own: bool = False


class Line(NamedTuple):
    """A connection from a point to a point, with words at its middle."""

    kind: str
    points: tuple
    words: str = ""
    at: tuple = (0, 0)


class Picture(NamedTuple):
    """One scenario."""

    title: str
    description: str
    networks: tuple
    machines: tuple
    lines: tuple


def across(left: int, right: int, height: int, words: str) -> Line:
    """Return a line of data from a runtime server to a machine beside it."""
    return Line("data", ((left, height), (right, height)), words, ((left + right) // 2, height - 9))


CONTROLLER = Machine(362, 12, "controller", "ansible-playbook or AWX")
DRIVE = Line("drive", ((450, 88), (450, TOP)), "SSH, 22", (482, 128))
RUNTIME = Machine(362, TOP, "runtime server", "a Linux host of yours", True)
MIDDLE = TOP + MACHINE_HEIGHT // 2

PICTURES = {
    "network-one-vnet": Picture(
        "One virtual network, or two that are peered",
        "The runtime server stands in the target's virtual network. It opens connections on port 5432 to the source, in the same or "
        "a peered network, and to the target, which has private access or a private endpoint.",
        (Network(20, 250, "network of the source"), Network(290, 590, "virtual network of the target")),
        (
            CONTROLLER,
            RUNTIME,
            Machine(57, TOP, "source", "virtual machine, or a server"),
            Machine(668, TOP, "target", "private access or endpoint"),
        ),
        (
            DRIVE,
            across(362, 233, MIDDLE, "peering"),
            across(538, 668, MIDDLE, "5432"),
            Line(
                "name", ((538, MIDDLE + 26), (600, MIDDLE + 26), (600, 284), (668, 284)), "private DNS zone", (742, 289)
            ),
        ),
    ),
    "network-on-premises": Picture(
        "A source on premises, through VPN or ExpressRoute",
        "The runtime server stands in Azure. It reaches the source through the gateway of a VPN or of ExpressRoute, on port 5432, "
        "and the target inside the virtual network.",
        (Network(20, 214, "on premises"), Network(290, 590, "virtual network in Azure")),
        (
            CONTROLLER,
            RUNTIME,
            Machine(39, TOP, "source", "firewall admits the runtime"),
            Machine(668, TOP, "target", "private access or endpoint"),
        ),
        (
            DRIVE,
            across(362, 215, MIDDLE, "VPN, ExpressRoute"),
            across(538, 668, MIDDLE, "5432"),
            Line(
                "name", ((538, MIDDLE + 26), (600, MIDDLE + 26), (600, 284), (668, 284)), "private DNS zone", (742, 289)
            ),
        ),
    ),
    "network-other-cloud": Picture(
        "A source in another cloud",
        "The source in another cloud is reached through a tunnel between the clouds, or by its public address; its security group "
        "admits the runtime server only. The target is reached inside the virtual network.",
        (Network(20, 214, "the other cloud"), Network(290, 590, "virtual network in Azure")),
        (
            CONTROLLER,
            RUNTIME,
            Machine(39, TOP, "source", "RDS, Aurora, Cloud SQL, …"),
            Machine(668, TOP, "target", "private access or endpoint"),
        ),
        (
            DRIVE,
            across(362, 215, MIDDLE, "tunnel, or TLS"),
            across(538, 668, MIDDLE, "5432"),
            Line(
                "name",
                ((362, MIDDLE + 26), (300, MIDDLE + 26), (300, 284), (216, 284)),
                "security group: 5432",
                (128, 289),
            ),
        ),
    ),
    "network-public": Picture(
        "Public addresses on both sides",
        "Source and target have public addresses whose firewalls admit the address from which the runtime server goes out. The "
        "connections are encrypted and the servers' certificates checked.",
        (Network(20, 214, "anywhere"), Network(343, 214, "where the runtime stands"), Network(664, 214, "Azure")),
        (
            CONTROLLER,
            Machine(362, TOP, "runtime server", "best in the target's region", True),
            Machine(39, TOP, "source", "public address"),
            Machine(683, TOP, "target", "public access, firewall rule"),
        ),
        (
            DRIVE,
            across(362, 215, MIDDLE, "5432, TLS"),
            across(538, 683, MIDDLE, "5432, TLS"),
        ),
    ),
    "network-azure-provider": Picture(
        "Provider azure: a flexible server as the runtime server",
        "Azure's migration service runs on a flexible server in a delegated subnet. It opens the connections to source and target. "
        "The controller talks to Resource Manager, and a data host asks both servers for checks and proof.",
        (Network(20, 214, "network of the source"), Network(290, 590, "virtual networks in Azure")),
        (
            Machine(362, 12, "controller", "Resource Manager, 443"),
            Machine(362, TOP, "runtime server", "in a delegated subnet", True),
            Machine(39, TOP, "source", "private"),
            Machine(668, TOP, "target", "private endpoint"),
            Machine(668, 12, "data host", "SQL to both servers"),
        ),
        (
            Line("drive", ((450, 88), (450, TOP)), "migration service", (506, 128)),
            Line("drive", ((756, 88), (756, TOP)), "checks, proof", (802, 128)),
            across(362, 215, MIDDLE, "5432"),
            across(538, 668, MIDDLE, "5432"),
            Line(
                "name",
                ((538, MIDDLE + 26), (600, MIDDLE + 26), (600, 284), (668, 284)),
                "both DNS zones linked",
                (752, 289),
            ),
        ),
    ),
}


def machine(item: Machine) -> str:
    """Return one machine."""
    middle = item.left + MACHINE_WIDTH // 2
    edge, fill = ("#57606a", "#ffffff") if item.own else ("#0b6bcb", "#ffffff")
    if item.top < TOP:
        edge, fill = "#57606a", "#eef1f4"
    return (
        f'  <rect x="{item.left}" y="{item.top}" width="{MACHINE_WIDTH}" height="{MACHINE_HEIGHT}" rx="8" fill="{fill}" '
        f'stroke="{edge}" stroke-width="2"/>\n'
        f'  <text x="{middle}" y="{item.top + 38}" font-size="16" font-weight="bold">{escape(item.name)}</text>\n'
        f'  <text x="{middle}" y="{item.top + 60}" font-size="12">{escape(item.words)}</text>\n'
    )


def line(item: Line) -> str:
    """Return one line with a head, and its words."""
    begin, *rest = item.points
    path = f"M{begin[0]} {begin[1]}" + "".join(f" L{x} {y}" for x, y in rest)
    dash = ' stroke-dasharray="6 4"' if item.kind == "name" else ""
    words = (
        f'  <text x="{item.at[0]}" y="{item.at[1]}" font-size="12">{escape(item.words)}</text>\n' if item.words else ""
    )
    return (
        f'  <path d="{path}" fill="none" stroke="{COLOURS[item.kind]}" stroke-width="2"{dash} marker-end="url(#{item.kind})"/>\n'
        f"{words}"
    )


def draw(name: str) -> str:
    """Return the picture of that name."""
    picture = PICTURES[name]
    heads = "".join(
        f'    <marker id="{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L10 5 L0 10 z" fill="{colour}"/></marker>\n'
        for kind, colour in COLOURS.items()
    )
    networks = "".join(
        f'  <rect x="{item.left}" y="{item.top}" width="{item.width}" height="{item.height}" rx="12" fill="#f3f7fc" '
        f'stroke="#0b6bcb" stroke-dasharray="7 5"/>\n'
        f'  <text x="{item.left + 14}" y="{item.top + item.height - 12}" font-size="13" style="text-anchor:start;fill:#0b4f94">'
        f"{escape(item.name)}</text>\n"
        for item in picture.networks
    )
    return (
        "<!-- Written by tools/docs/pictures.py. -->\n"
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        'aria-labelledby="title description" font-family="Helvetica, Arial, sans-serif">\n'
        f'  <title id="title">{escape(picture.title)}</title>\n'
        f'  <desc id="description">{escape(picture.description)}</desc>\n'
        "  <style>text{fill:#1f2328;text-anchor:middle;paint-order:stroke;stroke:#f3f7fc;stroke-width:4px}rect+text,text+text"
        "{stroke:none}</style>\n"
        f"  <defs>\n{heads}  </defs>\n"
        f'  <rect x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="10" fill="#ffffff" stroke="#8b949e"/>\n'
        f"{networks}{''.join(map(line, picture.lines))}{''.join(map(machine, picture.machines))}</svg>\n"
    )


def main() -> int:
    """Write the pictures that changed."""
    for name in PICTURES:
        path, text = IMAGES / f"{name}.svg", draw(name)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/images/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
