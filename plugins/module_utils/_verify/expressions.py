# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical forms of expressions: the source's text, put through the target's own parser and printer.

The same definition prints differently across major versions (22 of 95 objects between 11 and 18 in our measurement:
needless column qualifiers go in 16, SQL syntax for functions comes in 14, ...). So where two texts differ, the
source's is executed on the target on temporary objects, read back, compared, and rolled back.
"""

from __future__ import annotations

from .._postgres.driver import psycopg2
from .._postgres.quoting import quote_identifier
from . import expression_trees as trees
from .session import settle

EQUAL, DIFFERENT = "equal", "different"

LAST_PART = "(SELECT c.oid FROM pg_class c WHERE c.relnamespace = pg_my_temp_schema() AND c.relname = %s)"

# The attributes that are expressions, by kind; all others are compared as they are.
EXPRESSIONS = {
    "view": ("definition",),
    "materialized view": ("definition",),
    "column": ("default",),
    "constraint": ("definition",),
    "index": ("definition",),
    "trigger": ("definition",),
    "rule": ("definition",),
    "policy": ("using", "check"),
    "type": ("default",),
    "function": ("sql_body", "argument_defaults"),
    "procedure": ("sql_body", "argument_defaults"),
}
# Attributes whose canonical form is found in a way of their own, not in that of their kind.
BY_ATTRIBUTE = frozenset(["using", "check", "argument_defaults"])


class Canonicaliser:
    """Compares expressions on the target, in a session of its own whose every transaction is rolled back."""

    def __init__(self, connection, words: dict):
        """I(connection) must be in autocommit mode and hold nothing that matters; I(words) are settings to print with."""
        self.connection, self.words = connection, words
        self._trees: tuple | None = None

    def compare(self, kind: str, name: str, attribute: str, source: dict, target: dict) -> str:
        """Say how two texts of an expression relate: C(equal), C(different), or a sentence why that cannot be told.

        :param name: of the object on the target, as the inventory names it
        :param source: all attributes of the object on the source; I(target) likewise
        """
        if source[attribute] is None or target[attribute] is None:
            return DIFFERENT
        method = getattr(self, "_" + (attribute if attribute in BY_ATTRIBUTE else kind).replace(" ", "_"), None)
        if method is None:
            return DIFFERENT
        self._trees = None
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("BEGIN READ WRITE")
                settle(self.connection, {**self.words, "check_function_bodies": "off"})
                printed = method(cursor, source, {**target, "identity": name})
                same = printed == target[attribute] or (self._trees and trees.mean_the_same(cursor, *self._trees))
        except psycopg2.Error as error:
            text = " ".join(str(error.diag.message_primary or error).split())
            return f"the source's text does not run on the target: {text}"
        finally:
            if not self.connection.closed:
                self.connection.cursor().execute("ROLLBACK")
        return EQUAL if same else DIFFERENT

    # Each method makes the source's object among the temporary ones and returns how the target prints it. It may also
    # leave in _trees how to compare what the target has understood, see M(expression_trees.mean_the_same).

    @staticmethod
    def _printed(cursor, sql: str, parameters=()) -> str | None:
        cursor.execute(sql, parameters or None)
        row = cursor.fetchone()
        return row[0] if row else None

    def _view(self, cursor, source, target):
        cursor.execute("CREATE TEMPORARY VIEW azpg_canonical AS " + source["definition"])
        self._trees = (trees.VIEW, ("pg_temp.azpg_canonical",), (target["identity"],))
        return self._printed(cursor, f"SELECT pg_get_viewdef({LAST_PART})", ("azpg_canonical",))

    _materialized_view = _view

    def _temporary_table(self, cursor, table: str) -> str:
        """Make an empty temporary twin of I(table) with the same name, which the texts use for its columns."""
        name = self._printed(cursor, "SELECT c.relname FROM pg_class c WHERE c.oid = %s::regclass", (table,))
        cursor.execute(f"CREATE TEMPORARY TABLE {quote_identifier(name)} (LIKE {table})")
        return name

    def _column(self, cursor, source, target):
        name = self._temporary_table(cursor, target["table"])
        column = quote_identifier(target["column"])
        twin = f"pg_temp.{quote_identifier(name)}"
        if source["generated"]:
            cursor.execute(f"ALTER TABLE {twin} DROP COLUMN {column}")
            stored = "STORED" if source["generated"] == "s" else "VIRTUAL"
            cursor.execute(
                f"ALTER TABLE {twin} ADD COLUMN {column} {target['type']} "
                f"GENERATED ALWAYS AS ({source['default']}) {stored}"
            )
        else:
            cursor.execute(f"ALTER TABLE {twin} ALTER COLUMN {column} SET DEFAULT {source['default']}")
        self._trees = (trees.DEFAULT, (twin, target["column"]), (target["table"], target["column"]))
        return self._printed(
            cursor,
            "SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid "
            f"AND a.attnum = d.adnum WHERE a.attname = %s AND d.adrelid = {LAST_PART}",
            (target["column"], name),
        )

    def _constraint(self, cursor, source, target):
        if source["type"] != "c":
            return None
        if source["domain"]:
            cursor.execute(f"CREATE DOMAIN pg_temp.azpg_canonical AS {target['domain_base']}")
            cursor.execute(f"ALTER DOMAIN pg_temp.azpg_canonical ADD CONSTRAINT k {source['definition']}")
            self._trees = (trees.DOMAIN_CHECK, ("pg_temp.azpg_canonical", "k"), (target["domain"], target["name"]))
            where = "k.contypid = 'pg_temp.azpg_canonical'::regtype"
            return self._printed(cursor, f"SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE {where}")
        name = self._temporary_table(cursor, target["table"])
        twin = f"pg_temp.{quote_identifier(name)}"
        cursor.execute(f"ALTER TABLE {twin} ADD CONSTRAINT azpg_k {source['definition']}")
        self._trees = (trees.CHECK, (twin, "azpg_k"), (target["table"], target["name"]))
        return self._printed(
            cursor,
            "SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k "
            f"WHERE k.conname = 'azpg_k' AND k.conrelid = {LAST_PART}",
            (name,),
        )

    def _on_twin(self, cursor, source, target, words: str, last: str, tree: str) -> str | None:
        """Run the source's definition with the twin in the table's place, and put the table back in what is printed.

        :param words: what stands before the table's name in the definition
        :param last: a query for the printed definition, with the twin's name as its parameter
        :param tree: a query for the tree, by relation and name; of an index by its own name alone
        """
        name = self._temporary_table(cursor, target["table"])
        twin = "pg_temp." + self._printed(cursor, "SELECT quote_ident(%s)", (name,))
        table = source["table"]
        before, found, after = source["definition"].partition(f"{words} {table} ")
        if not found:
            before, found, after = source["definition"].partition(f"{words} ONLY {table} ")
        if not found:
            return None
        cursor.execute(f"{before}{words} {twin} {after}")
        if tree == trees.INDEX:
            self._trees = (tree, (f"pg_temp.{quote_identifier(source['name'])}",), (target["identity"],))
        else:
            self._trees = (tree, (twin, source["name"]), (target["table"], target["name"]))
        printed = self._printed(cursor, last, (name,))
        temporary = self._printed(cursor, "SELECT pg_my_temp_schema()::regnamespace::text")
        bare = twin[len("pg_temp.") :]
        for prefix in (f"{temporary}.{bare}", f"pg_temp.{bare}"):
            only = "ONLY " if found.startswith(f"{words} ONLY ") else ""
            printed = printed.replace(f"{words} {prefix} ", f"{words} {only}{target['table']} ")
        return printed

    def _index(self, cursor, source, target):
        return self._on_twin(
            cursor,
            source,
            target,
            " ON",
            f"SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = {LAST_PART}",
            trees.INDEX,
        )

    def _trigger(self, cursor, source, target):
        return self._on_twin(
            cursor,
            source,
            target,
            " ON",
            f"SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgrelid = {LAST_PART} AND NOT t.tgisinternal",
            trees.TRIGGER,
        )

    def _rule(self, cursor, source, target):
        return self._on_twin(
            cursor,
            source,
            target,
            " TO",
            f"SELECT pg_get_ruledef(r.oid) FROM pg_rewrite r WHERE r.ev_class = {LAST_PART}",
            trees.RULE,
        )

    def _policy_text(self, cursor, source, target, attribute: str, column: str):
        name = self._temporary_table(cursor, target["table"])
        command = "FOR INSERT WITH CHECK" if attribute == "check" else "FOR SELECT USING"
        twin = f"pg_temp.{quote_identifier(name)}"
        cursor.execute(f"CREATE POLICY azpg_p ON {twin} {command} ({source[attribute]})")
        tree = trees.POLICY.format(column=column)
        self._trees = (tree, (twin, "azpg_p"), (target["table"], target["name"]))
        return self._printed(
            cursor,
            f"SELECT pg_get_expr(p.{column}, p.polrelid) FROM pg_policy p WHERE p.polrelid = {LAST_PART}",
            (name,),
        )

    def _using(self, cursor, source, target):
        return self._policy_text(cursor, source, target, "using", "polqual")

    def _check(self, cursor, source, target):
        return self._policy_text(cursor, source, target, "check", "polwithcheck")

    def _type(self, cursor, source, target):
        if source["kind"] != "d":
            return None
        cursor.execute(f"CREATE DOMAIN pg_temp.azpg_canonical AS {target['base']} DEFAULT {source['default']}")
        self._trees = (trees.DOMAIN_DEFAULT, ("pg_temp.azpg_canonical",), (target["identity"],))
        return self._printed(
            cursor,
            "SELECT pg_get_expr(t.typdefaultbin, 0) FROM pg_type t WHERE t.oid = 'pg_temp.azpg_canonical'::regtype",
        )

    def _argument_defaults(self, cursor, source, target):
        """Made with the source's list of arguments, which holds the defaults, as a procedure: that returns nothing."""
        cursor.execute(f"CREATE PROCEDURE pg_temp.azpg_canonical({source['arguments']}) LANGUAGE sql AS ''")
        made = "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = pg_my_temp_schema()"
        self._trees = (trees.ARGUMENT_DEFAULTS, (self._printed(cursor, made),), (target["identity"],))
        return self._printed(
            cursor,
            "SELECT pg_get_expr(p.proargdefaults, 0) FROM pg_proc p WHERE p.proname = 'azpg_canonical' "
            "AND p.pronamespace = pg_my_temp_schema()",
        )

    def _function(self, cursor, source, target):
        """A body in SQL is replaced in place; the transaction ends before anybody sees it."""
        cursor.execute(source["sql_definition"])
        return self._printed(
            cursor,
            "SELECT pg_get_function_sqlbody(p.oid) FROM pg_proc p WHERE p.xmin::text = "
            "(txid_current() % 4294967296)::text AND p.prosqlbody IS NOT NULL",
        )

    _procedure = _function
