"""Which column of a source plays which role: stated, of the role's own name, or guessed and said so."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from journeykit.errors import LogError, ParameterError
from journeykit.log.quality import Finding
from journeykit.schema import REQUIRED_ROLES, did_you_mean

USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "customer": (
        *("customer", "customerid", "customerno", "userid", "user", "visitorid", "visitor", "clientid", "client"),
        *("memberid", "accountid", "contactid", "subscriberid", "profileid", "personid", "distinctid"),
        *("userpseudoid", "anonymousid", "caseid", "caseconceptname"),
    ),
    "time": (
        *("time", "timestamp", "ts", "datetime", "eventtime", "eventtimestamp", "eventdatetime", "timetimestamp"),
        *("occurredat", "happenedat", "createdat", "eventdate", "date", "invoicedate", "orderdate"),
    ),
    "touchpoint": (
        *("touchpoint", "event", "eventname", "eventtype", "action", "activity", "activityname", "conceptname"),
        *("interaction", "interactiontype"),
    ),
}
"""Usual names of columns, likeliest first; compared in small letters, without spaces, dashes and the like."""


@dataclass(frozen=True)
class Roles:
    """The columns of the roles.

    Attributes
    ----------
    columns : dict of str to str
        Role → column; the customer's first, if it has several.
    customer : tuple of str
        The column or columns that together say who.
    findings : tuple of Finding
        One for each guess.
    """

    columns: dict[str, Any]
    customer: tuple[Any, ...]
    findings: tuple[Finding, ...] = ()

    def __contains__(self, role: str) -> bool:
        """Whether a column plays this role."""
        return role in self.columns

    def __getitem__(self, role: str) -> Any:
        """Return the column of a role."""
        return self.columns[role]


def find_roles(
    names: Sequence[Any],
    required: Mapping[str, str | Sequence[str] | None],
    optional: Mapping[str, str | None],
    *,
    guess: bool = True,
) -> Roles:
    """Find the column of each role.

    Parameters
    ----------
    names : sequence
        Columns of the source.
    required : mapping
        Customer, time and touchpoint → column, or None if nothing was said.
    optional : mapping
        The other roles, likewise; one that was not named is found by its own
        name only.
    guess : bool
        Whether a required role that was not named may be played by a column of
        one of the usual names.
    """
    _check_distinct(names)
    given = {role: [column] if isinstance(column, str) else list(column or ()) for role, column in required.items()}
    stated = {name for columns in given.values() for name in columns} | {name for name in optional.values() if name}
    findings = []
    for role in REQUIRED_ROLES:
        if given[role]:
            continue
        found = _guesses(role, names, stated) if guess and role not in names else []
        given[role] = found[:1] or [role]
        if found:
            others = f" (also possible: {', '.join(map(repr, found[1:]))})" if found[1:] else ""
            findings.append((role, f"{role}: {found[0]!r}{others}"))
        stated |= set(given[role])
    columns: dict[str, Any] = {role: given[role][0] for role in REQUIRED_ROLES}
    for role, name in optional.items():
        if name is not None:
            columns[role] = name
        elif role in names and role not in stated:
            columns[role] = role
    customer = tuple(given["customer"])
    _check_there([*(("customer", each) for each in customer), *columns.items()], names)
    if len(set(customer)) < len(customer):
        raise ParameterError(f"customer names a column twice: {list(customer)}")
    return Roles(columns, customer, tuple(Finding("guessed_column", 1, "guessed", said) for _, said in findings))


def _check_distinct(names: Sequence[Any]) -> None:
    odd = [name for name in names if not isinstance(name, Hashable)]
    seen: set[Any] = set(odd)
    twice = sorted({str(name) for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
    if twice:
        raise LogError(f"column names must differ, but {twice} occur twice")


def _guesses(role: str, names: Sequence[Any], stated: set[Any]) -> list[str]:
    """Columns that may play a role, likeliest first."""
    by_plain: dict[str, list[str]] = {}
    for name in names:
        if isinstance(name, str) and name not in stated:
            by_plain.setdefault("".join(filter(str.isalnum, name.casefold())), []).append(name)
    return [name for usual in USUAL[role] for name in by_plain.get(usual, [])]


def _check_there(roles: Sequence[tuple[str, Any]], names: Sequence[Any]) -> None:
    if not names:
        raise LogError("the source has no columns: it is empty")
    missing = dict.fromkeys((role, name) for role, name in roles if name not in names)
    if missing:
        said = "; ".join(
            f'no column {name!r} for the {role} (say {role}="…"; {did_you_mean(name, names)})' for role, name in missing
        )
        raise LogError(f"the source lacks columns: {said}")
