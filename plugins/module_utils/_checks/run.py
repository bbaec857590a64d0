# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the rules: order, cascades, missing rights, unexpected errors."""

from __future__ import annotations

from collections.abc import Iterable

from .._core.errors import ConnectionFailed, DependencyMissing, MigrationError
from .._core.findings import Finding
from .._core.layout import Layout
from .._core.request import Request
from .._postgres.driver import psycopg2
from .context import MINIMUM_FREE_BYTES, Context
from .registry import RULES
from .rule import BLIND, VIOLATED, Observation, Rule, blind, fine, violated
from .selection import Selection

INSUFFICIENT_PRIVILEGE = "42501"
# Somebody holds a lock that keeps the catalogue's functions out, or the question took longer than it may.
NOT_NOW = {"55P03": "a lock that somebody else holds was in the way", "57014": "the answer took too long"}
# Rules whose violation means that no session can be had, by side.
REACHING = {f"{side}-{what}": side for side in ("source", "target") for what in ("name", "port", "tls", "reachable")}
DATABASE_CAUSES = ("database", "connect-privilege", "hba")


class Run:
    """One pass over the rules."""

    def __init__(self, context: Context, selection: Selection, rules: Iterable[Rule]):
        self.context = context
        self.selection = selection
        self.rules = [
            rule for rule in rules if context.request.mode in rule.modes and context.request.provider in rule.providers
        ]
        # Per rule and object ("" is the rule as a whole): the id of the rule at the root of it all.
        self.broken: dict = {}
        self.findings: list = []

    def execute(self) -> list:
        """Run what is wanted and what that needs, in the order of the registry, and return the findings in that order."""
        wanted = {rule.id for rule in self.rules if self.selection.wants(rule.id)}
        for rule in reversed(self.rules):
            if rule.id in wanted:
                wanted.update(needed for needed in rule.needs if not self.selection.excludes(needed))
        rules = [rule for rule in self.rules if rule.id in wanted]
        # Database by database, so that few sessions have to be open at a time; rules about a whole server that need
        # something of every database come last.
        of_databases = [rule for rule in rules if rule.each_database]
        names = {rule.id for rule in of_databases}
        late = [rule for rule in rules if not rule.each_database and names.intersection(rule.needs)]
        for rule in rules:
            if rule not in of_databases and rule not in late:
                self.record(rule, "", self.observe(rule, ()))
        for database in self.context.request.databases:
            for rule in of_databases:
                self.record(rule, database, self.observe(rule, (database,)))
            self.context.forget(database)
        for rule in late:
            self.record(rule, "", self.observe(rule, ()))
        order = {rule.id: position for position, rule in enumerate(self.rules)}
        return sorted(self.findings, key=lambda finding: order[finding.rule])

    def observe(self, rule: Rule, arguments: tuple) -> list:
        """Return what the rule says; failures of any kind have become observations."""
        item = arguments[0] if arguments else self.server_of(rule)
        cause = self.cause(rule, arguments)
        if cause:
            return [blind(item, "not looked at", because=cause)]
        try:
            return list(rule.look(self.context, *arguments)) or [fine(item, rule.clean)]
        except ConnectionFailed as error:
            return [blind(item, "not looked at", because=self.reach_rule(error))]
        except DependencyMissing:
            return [blind(item, "not looked at", because="runtime-driver")]
        except MigrationError as error:
            return [violated(item, error.msg, remedy=error.hint)]
        except psycopg2.Error as error:
            return [self.database_error(rule, item, error)]

    def cause(self, rule: Rule, arguments: tuple) -> str:
        """Return the id of the rule whose violation stands in the way, or an empty text."""
        for needed in rule.needs:
            objects = self.broken.get(needed, {})
            # A rule about a whole server that needs something of every database needs it of each of them.
            for item in ("", *(arguments or objects)):
                if item in objects:
                    return objects[item]
        return ""

    def reach_rule(self, error: ConnectionFailed) -> str:
        """Return the id of the rule that reports what this failed connection comes from."""
        kind = "database-reachable" if error.details["cause"] in DATABASE_CAUSES else "reachable"
        rule = f"{error.details['side']}-{kind}"
        # Which may itself be a consequence: of a name that does not resolve, for example.
        return self.broken.get(rule, {}).get("", rule)

    def server_of(self, rule: Rule) -> str:
        """Return the object of a finding that concerns the whole of the rule's side."""
        request = self.context.request
        servers = {"source": request.source.address, "target": request.target.address}
        return servers.get(rule.side, "this host" if rule.side == "runtime" else "source and target")

    def database_error(self, rule: Rule, item: str, error) -> Observation:
        """Turn the server's error into an observation: a missing right blinds, everything else is a violation."""
        message = " ".join(str(error).split())
        if error.pgcode == INSUFFICIENT_PRIVILEGE:
            return blind(
                item, message, remedy=f"Grant the user the right that the message names, then run again: {message}"
            )
        if error.pgcode in NOT_NOW:
            return blind(
                item,
                f"{NOT_NOW[error.pgcode]}: {message}",
                remedy="Run again when the server is quieter; pg_locks and pg_stat_activity show who holds what.",
            )
        return violated(
            item,
            f"the rule could not be evaluated: {message}" + (f" (SQLSTATE {error.pgcode})" if error.pgcode else ""),
            remedy="Look into the server's log; when this rule does not matter here, name its id in 'exclude'.",
        )

    def record(self, rule: Rule, database: str, observations: list) -> None:
        """Keep the findings, and remember what later rules must not rely on."""
        shown = self.selection.wants(rule.id)
        for observation in observations:
            breaks = observation.kind == VIOLATED and (observation.severity or rule.severity) == "failed"
            if breaks or (observation.kind == BLIND and observation.because):
                self.broken.setdefault(rule.id, {}).setdefault(database, observation.because or rule.id)
                if rule.id in REACHING:
                    self.context.give_up(REACHING[rule.id], observation.found)
            # What stands in the way of a selected rule is said, even when it was not selected itself.
            if shown or breaks:
                finding = rule.finding(observation, self.selection.severity(rule.id))
                self.findings.append(self.selection.accept(finding))


def run_checks(
    request: Request,
    layout: Layout,
    *,
    bin_directory: str | None = None,
    only=(),
    levels=(),
    exclude=(),
    severities=None,
    accept=(),
    own_databases=frozenset(),
    resuming: bool = False,
    jobs: int = 4,
    minimum_free_bytes: int = MINIMUM_FREE_BYTES,
    overwrite=frozenset(),
    estimator=None,
    probes=frozenset(),
    control_plane=None,
    written: list | None = None,
    rules=RULES,
) -> list[Finding]:
    """Run the rules that fit mode and provider of the request and return their findings; nothing is changed anywhere.

    :param bin_directory: where the client programs are; None looks in the usual places
    :param only: ids or shell patterns of the rules to report; what they need is run too and said when it fails
    :param levels: levels of the rules to report; none means all
    :param exclude: ids or shell patterns of rules that are not run
    :param severities: C({id or pattern: failed|warning}) for what a violation is worth
    :param accept: C([{rule, object, reason, until}]); such a finding becomes C(skipped) because of C(accepted)
    :param own_databases: databases on the target that this very migration has created before
    :param resuming: True when the migration has begun before
    :param jobs: how many sessions per side the transfer will use
    :param minimum_free_bytes: room that the state directory needs at least
    :param overwrite: databases on the target that Azure's service is told to replace
    :param estimator: gives the transfer engine's estimate when called without arguments; None leaves times out
    :param probes: names of what may be tried out on the target; empty means that nothing is written anywhere
    :param control_plane: what rules about Azure's resources ask; they reach it as C(context.control_plane)
    :param written: gets what probes made on the target and took away again, in words
    :param rules: the rules to choose from; those about Azure's resources are added by who knows them
    :raises InvalidRequest: for an unknown id, naming the closest known one
    """
    selection = Selection.create(
        [rule.id for rule in rules], only, exclude, severities, accept, levels, {rule.id: rule.level for rule in rules}
    )
    context = Context(
        request,
        layout,
        bin_directory=bin_directory,
        own_databases=own_databases,
        resuming=resuming,
        jobs=jobs,
        minimum_free_bytes=minimum_free_bytes,
        overwrite=overwrite,
        estimator=estimator,
        probes=probes,
        control_plane=control_plane,
    )
    try:
        return Run(context, selection, rules).execute()
    finally:
        context.close()
        if written is not None:
            written += context.written
