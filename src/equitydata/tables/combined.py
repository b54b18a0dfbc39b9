"""The table of an organisation's roll-up: what each service in scope decides of each effect criterion."""

from __future__ import annotations

from equitydata.tables.spec import SHARE_COLUMNS, Share, TableSpec

SERVICES_TABLE = TableSpec(
    "services",
    "What each service decides of each effect criterion",
    "criterion of the organisation and service",
    {
        "criterion_id": "criterion of the organisation",
        "service_criterion_id": "criterion of the service that it rolls up from",
        "service": "name of the service",
        "as_of": "day of the service's rating",
        "outcome": "met, not met, not assessed or not applicable, in the service",
        "outcome_other_reading": "the outcome with declined answers read the other way",
        "rests_on": "measured, run log, register, attested, or empty",
        "figure": "figure it rests on",
        "unit": "of the counts",
        **SHARE_COLUMNS,
        "threshold": "what it was held against in the service",
        "counts_are": "shown, hidden (by the small-number rule) or none",
        "in_the_way": "true where it keeps the organisation from meeting the criterion",
        "reason": "why it is not met or not assessed in the service",
    },
    counts=("numerator", "denominator"),
    shares=(Share(),),
)
