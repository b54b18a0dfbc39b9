"""Strata -> the tables of the equity analysis: outcomes, comparisons, representation, unknowns, trends, findings.

The order is that of the questions an analyst asks; each table is made by a room of its own from the small frames of
`Strata`, and the findings are read off all of them at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import pandas as pd

from equitydata.comparison.disproportionality import tests_table
from equitydata.comparison.table import comparison_table
from equitydata.comparison.unknowns import known_or_not_table, unknowns_table
from equitydata.findings.ranking import findings_table
from equitydata.history.log import log_of, read_runs
from equitydata.inequality import inequality_table
from equitydata.listening.tables import listening_gaps_table, listening_table, service_register, themes_table
from equitydata.places import place_table
from equitydata.rates.outcomes import outcome_table
from equitydata.representation.table import representation_table, representation_unknowns, residents_table
from equitydata.service import Service
from equitydata.strata import ALL, Strata
from equitydata.tables import UNKNOWNS_TABLE, shape
from equitydata.trends import change_table, trend_table

Progress = Callable[[str], None]


def equity_tables(
    strata: Strata,
    service: Service,
    code_lists: Mapping[str, Sequence[str]],
    audit: Mapping[str, pd.DataFrame],
    *,
    as_of: date,
    progress: Progress,
) -> dict[str, pd.DataFrame]:
    """Every table of the equity analysis by name.

    code_lists : lists met in each characteristic. audit : the tables of the audit, for findings of completeness.
    """
    measures, rulebook = service.measures, service.rulebook
    progress("Comparing users with residents")
    represented = representation_table(strata, service, code_lists, rulebook)
    residents = residents_table(strata, service, code_lists)
    # Whom a service must listen to does not turn on how few of a group it has seen.
    living = residents_table(strata, service, code_lists, apart=True) if strata.merged else residents
    progress("Working out outcomes by group")
    outcomes = outcome_table(strata, measures, rulebook, residents=residents)
    progress("Comparing groups")
    comparisons = comparison_table(strata, measures, service.analysis, rulebook, residents=residents)
    unknowns = [
        unknowns_table(strata, measures, rulebook, residents=residents),
        representation_unknowns(represented.table, rulebook),
    ]
    filled = [frame for frame in unknowns if len(frame)]
    tables = {
        "outcomes": outcomes,
        "comparisons": comparisons,
        "tests": tests_table(strata, measures, rulebook, residents=residents),
        "unknowns": shape(pd.concat(filled or unknowns[:1], ignore_index=True), UNKNOWNS_TABLE),
        "known_or_not": known_or_not_table(strata, measures, rulebook),
        "trends": trend_table(strata, measures, rulebook),
        "changes": change_table(strata, measures, rulebook),
        "places": place_table(strata, measures, rulebook),
        "representation": represented.table,
        "population_checks": represented.checks,
        **_heard(service, living, as_of),
        "runs": read_runs(log_of(service), service=service.service.name),
    }
    progress("Summing up inequality")
    tables["inequality"] = inequality_table(outcomes, strata, measures, service.analysis.reference, rulebook)
    tables["findings"] = findings_table({**audit, **tables}, measures, rulebook)
    return tables


def _heard(service: Service, residents: pd.DataFrame, as_of: date) -> dict[str, pd.DataFrame]:
    register = service_register(service)
    groups = residents[residents["characteristic"] != ALL]
    return {
        "listening": listening_table(register),
        "listening_gaps": listening_gaps_table(register, groups, as_of, service.rulebook),
        "themes": themes_table(register),
    }
