# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same stage with an application that does not stop: it writes orders from before the first copy to the fence."""

from __future__ import annotations

import contextlib
import random
import secrets
import threading

import psycopg2

from tools.demo.stage import USER, Stage
from tools.lab import dataset

CLERK = "bob"
CLIENTS = 2
PAUSE_SECONDS = 0.005
FIRST_ORDER = 10_000_000
ORDER = """
INSERT INTO app.orders (id, customer_id, ordered_at, region, total)
SELECT %(order)s, id, '2025-06-01'::timestamptz + %(order)s %% 1000 * interval '1 hour', (enum_range(NULL::app.region))[1 + %(order)s %% 3], 9.5
  FROM app.customers ORDER BY id LIMIT 1;
INSERT INTO app.order_lines (order_id, line_number, product_id, quantity, unit_price)
SELECT %(order)s, n, product_id, n, 3.25 FROM (SELECT min(product_id) AS product_id FROM app.order_lines_0) p, generate_series(1, 3) n;
"""
LATER = (
    "UPDATE app.orders SET status = 'paid', notes = repeat('thanks ', 500) WHERE id = %(older)s",
    "UPDATE app.order_lines SET quantity = quantity + 1 WHERE order_id = %(older)s AND line_number = 2",
    "DELETE FROM app.order_lines WHERE order_id = %(older)s AND line_number = 3",
    "UPDATE app.order_lines SET order_id = -order_id WHERE order_id = %(older)s AND line_number = 1",
)


class Clerk(threading.Thread):
    """One client of the application; I(written) counts what the source has told it is committed."""

    def __init__(self, words: dict, number: int):
        super().__init__(name=f"clerk {number}", daemon=True)
        self.words = words
        self.number = number
        self.written = 0
        self.shut = False
        self.error = ""
        self.ending = threading.Event()

    def run(self) -> None:
        """Write until the source lets nobody write any more."""
        dice = random.Random(self.number)
        connection = psycopg2.connect(**self.words)
        try:
            while not self.ending.wait(PAUSE_SECONDS):
                order = FIRST_ORDER * self.number + self.written
                older = FIRST_ORDER * self.number + dice.randrange(self.written + 1)
                with connection, connection.cursor() as cursor:
                    cursor.execute(ORDER + dice.choice(LATER), {"order": order, "older": older})
                self.written += 1
        except (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.errors.ReadOnlySqlTransaction):
            self.shut = True  # the fence
        except psycopg2.Error as error:
            self.error = str(error)
        finally:
            with contextlib.suppress(psycopg2.Error):
                connection.close()


class OnlineStage(Stage):
    """Two servers, and clerks who go on writing to the source."""

    def start(self, scale: float) -> None:
        """Let the clerks begin as well."""
        super().start(scale)
        password = secrets.token_urlsafe(18)
        self.source.psql(f"SET log_min_error_statement = panic; ALTER ROLE {CLERK} PASSWORD '{password}'")
        words = {**self.source.connection(CLERK, password), "dbname": "shop"}
        self.clerks = [Clerk(words, number) for number in range(1, CLIENTS + 1)]
        for clerk in self.clerks:
            clerk.start()

    def create_users(self, passwords: dict) -> None:
        """Let the source's user stream changes, publish, and end sessions."""
        super().create_users(passwords)
        self.source.psql(f"ALTER ROLE {USER} REPLICATION; GRANT pg_signal_backend, pg_read_all_stats TO {USER}")
        for database in dataset.DATABASES:
            self.source.psql(f"GRANT CREATE ON DATABASE {database} TO {USER}")

    def inventory_content(self) -> dict:
        """Return the inventory: the same migration, online."""
        content = super().inventory_content()
        content["migrations"]["vars"].update(
            {
                "azpg_mode": "online",
                # Sequences without a margin, since the demo asks both servers where they stand.
                "azpg_online": {"without_identity": "full", "grace_seconds": 2, "sequence_margin": 0},
            }
        )
        return content

    def reopen(self, play) -> None:
        """Open the source again, as on the way back: the fence is no part of what the application asks for."""
        print(
            "the fence around the source is taken down, and its materialized views are refreshed as the target's were"
        )
        play(self, quiet=True, playbook="azpg.migrate.verify", more=["-e", "azpg_fence=down"])
        for view in ("sales_by_month", "sales_by_year"):
            self.source.psql(f"REFRESH MATERIALIZED VIEW app.{view}", dbname="shop")

    def stop(self) -> None:
        """End the clerks, too."""
        for clerk in self.clerks:
            clerk.ending.set()
            clerk.join()
        super().stop()

    def said(self) -> list:
        """Return what the clerks have to say at the end; raises SystemExit when one was hindered before the fence."""
        wrong = [clerk.error or f"{clerk.name} still writes" for clerk in self.clerks if clerk.error or not clerk.shut]
        if wrong:
            raise SystemExit(f"The application was to write until the fence: {'; '.join(wrong)}")
        return [
            f"The application has written {sum(clerk.written for clerk in self.clerks)} transactions until the fence."
        ]
