"""The plan of the sample: everything that is decided about it, and everything that is planted in it.

Population figures are official statistics, restated with their source. All other figures are this project's
own: plausible, and chosen so that an audit has something to find. No real service was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Shares = Mapping[str, float]

SEED = 20250401
PEOPLE = 12_000
FIRST_DAY, LAST_DAY = np.datetime64("2025-04-01"), np.datetime64("2026-03-31")
THRESHOLD = 0.95  # the 95% rule of the maturity matrix

# --- Who lives in Newham ----------------------------------------------------------------------------------

# Census 2021, TS021 ethnic group, Newham (E09000025), all usual residents; Office for National Statistics,
# Open Government Licence v3.0. Folded to the 2001 letters: Gypsy or Irish Traveller and Roma to C, Arab to S.
CENSUS_2021 = {
    "A": 51819, "B": 2039, "C": 353 + 2342 + 51394, "D": 4253, "E": 3317, "F": 3324, "G": 5525, "H": 38642,
    "J": 31216, "K": 55677, "L": 16439, "M": 13586, "N": 40874, "P": 6842, "R": 6213, "S": 3534 + 13641,
}  # fmt: skip
LABELS = {
    "A": "White British", "B": "White Irish", "C": "Any other White", "D": "White and Black Caribbean",
    "E": "White and Black African", "F": "White and Asian", "G": "Any other Mixed", "H": "Indian",
    "J": "Pakistani", "K": "Bangladeshi", "L": "Any other Asian", "M": "Caribbean", "N": "African",
    "P": "Any other Black", "R": "Chinese", "S": "Any other ethnic group",
}  # fmt: skip

# LSOA 2021 codes of Newham by decile of the Index of Multiple Deprivation 2025 (1 is most deprived); the part
# after E010. Ministry of Housing, Communities and Local Government; ONS; Open Government Licence v3.0.
NEWHAM_LSOA = {
    1: "03486 03487 03499 03535 03556 03576 03577 03578 03591 03601",
    2: "03483 03488 03490 03491 03496 03497 03498 03501 03502 03506 03507 03509 03512 03514 03515 03516 "
    "03517 03520 03521 03522 03523 03524 03525 03526 03528 03531 03534 03537 03538 03540 03542 03551 "
    "03553 03557 03558 03565 03566 03567 03570 03571 03572 03575 03579 03580 03581 03582 03586 03587 "
    "03588 03589 03590 03592 03598 03599 03600 03604 03605 03607 03611 03619 03622 03623 03624 03625 "
    "03630 03633 03636 33581 33584 34199 34201 34204 34208 34224",
    3: "03479 03481 03492 03494 03500 03503 03508 03511 03513 03519 03529 03530 03533 03536 03539 03541 "
    "03544 03545 03546 03548 03549 03550 03552 03559 03560 03561 03562 03563 03564 03569 03573 03574 "
    "03583 03585 03593 03594 03595 03596 03602 03603 03608 03615 03616 03618 03621 03626 03627 03628 "
    "03629 03631 03634 03635 34202 34205 34218 34222",
    4: "03480 03489 03495 03518 03527 03532 03543 03547 03554 03555 03568 03584 03597 03632 03637 33586 "
    "34200 34206 34220 34221 34225",
    5: "03484 03485 34203 34209 34211 34223",
    6: "34210 34213 34215 34219 34227 34229",
    7: "33579 33582 34207 34216 34217",
    8: "33580 34212 34214 34226",
    10: "34228 34230 34231",
}
# Next door: two LSOAs each of Tower Hamlets, Redbridge and Waltham Forest (same sources).
OUTSIDE_LSOA = {1: "04198", 2: "04199", 4: "04327 04328", 5: "03639", 6: "03638"}
AREA_SHARES = {"newham": 0.955, "outside": 0.025, "filler": 0.020}
AREA_FILLERS = {"": 0.4, "E99999999": 0.3, "Unknown": 0.2, "NULL": 0.1}
# Share of a group's people who live in deciles 1 and 2. By count of LSOAs it would be 84 of 185, 0.454.
IN_CORE20 = dict.fromkeys(LABELS, 0.45) | {"A": 0.36, "J": 0.52, "K": 0.60, "N": 0.56}

# --- Who the service sees ---------------------------------------------------------------------------------

# Planted representation: how often someone of the group is seen, against Census shares with half men, half
# women in each group.
SEEN_MORE_OR_LESS = {("K", "2"): 0.55, ("H", "1"): 1.30, ("H", "2"): 1.30}
# Weight of each ethnic group and sex ("K2": Bangladeshi women) among the people who are seen.
COMPOSITION = {
    letter + sex: count / 2 * SEEN_MORE_OR_LESS.get((letter, sex), 1.0)
    for letter, count in CENSUS_2021.items()
    for sex in "12"
}

AGE_BANDS = {"18-34": (18, 34), "35-49": (35, 49), "50-64": (50, 64), "65-79": (65, 79), "80+": (80, 96)}
AGE_PROFILES = {
    "older": dict(zip(AGE_BANDS, (0.05, 0.16, 0.33, 0.32, 0.14), strict=True)),
    "middle": dict(zip(AGE_BANDS, (0.09, 0.24, 0.35, 0.25, 0.07), strict=True)),
    "younger": dict(zip(AGE_BANDS, (0.14, 0.33, 0.34, 0.16, 0.03), strict=True)),
}
OLDER_GROUPS, YOUNGER_GROUPS = "ABM", "CDEFGKNS"

SITES = {
    "Site 1 East Ham": 0.20, "Site 2 Stratford": 0.16, "Site 3 Plaistow": 0.13, "Site 4 Canning Town": 0.10,
    "Site 5 Manor Park": 0.11, "Site 6 Forest Gate": 0.08, "Site 7 Custom House": 0.10,
    "Site 8 Telephone hub": 0.12,
}  # fmt: skip
WORST_SITES = ("Site 7 Custom House", "Site 8 Telephone hub")
ELSEWHERE = 0.08  # share of contacts at another site than the person's own
NEW_REFERRAL = 0.72  # share of people whose first contact is a referral, and who have a wait
SETTINGS = {
    "site": {
        "Clinic": 0.56,
        "Clinic, group": 0.08,
        "Telephone": 0.14,
        "Community visit": 0.18,
        "Inpatient": 0.04,
    },
    "hub": {"Clinic": 0.06, "Telephone": 0.92, "Inpatient": 0.02},
}
# Contacts per person: geometric, mean close to 3.3, at most 20.
CONTACTS = {str(n): (1 - 1 / 3.3) ** (n - 1) for n in range(1, 21)}

# Main language by ethnic group; figures are this project's own, only plausible. Codes are ISO 639-1, or 639-3
# where the language has no two-letter code.
LANGUAGES: dict[str, Shares] = {
    "A": {"en": 0.995, "pl": 0.005},
    "B": {"en": 1.0},
    "C": {
        "en": 0.22,
        "ro": 0.30,
        "pl": 0.10,
        "lt": 0.12,
        "pt": 0.08,
        "bg": 0.07,
        "it": 0.05,
        "es": 0.04,
        "tr": 0.02,
    },
    "D": {"en": 1.0},
    "E": {"en": 0.93, "fr": 0.04, "pt": 0.03},
    "F": {"en": 0.95, "ur": 0.03, "bn": 0.02},
    "G": {"en": 0.80, "pt": 0.10, "es": 0.10},
    "H": {"en": 0.45, "gu": 0.27, "pa": 0.10, "hi": 0.06, "ml": 0.05, "te": 0.03, "ta": 0.04},
    "J": {"en": 0.50, "ur": 0.36, "pa": 0.14},
    "K": {"en": 0.46, "bn": 0.40, "syl": 0.14},
    "L": {"en": 0.42, "ta": 0.38, "tl": 0.15, "ur": 0.05},
    "M": {"en": 1.0},
    "N": {"en": 0.70, "so": 0.13, "fr": 0.07, "yo": 0.05, "pt": 0.03, "ak": 0.02},
    "P": {"en": 0.90, "fr": 0.05, "so": 0.05},
    "R": {"en": 0.40, "zh": 0.35, "yue": 0.15, "cmn": 0.10},
    "S": {"en": 0.45, "ar": 0.28, "es": 0.12, "pt": 0.10, "tr": 0.05},
}
LANGUAGE_NAMES = {
    "en": "English", "pl": "Polish", "ro": "Romanian", "lt": "Lithuanian", "pt": "Portuguese",
    "bg": "Bulgarian", "it": "Italian", "es": "Spanish", "tr": "Turkish", "fr": "French", "ur": "Urdu",
    "bn": "Bengali", "syl": "Sylheti", "gu": "Gujarati", "pa": "Panjabi", "hi": "Hindi",
    "ml": "Malayalam", "te": "Telugu", "ta": "Tamil", "tl": "Tagalog", "so": "Somali", "yo": "Yoruba",
    "ak": "Akan", "zh": "Chinese", "yue": "Cantonese", "cmn": "Mandarin", "ar": "Arabic",
}  # fmt: skip

# --- How well it is recorded ------------------------------------------------------------------------------

# Planted joint completeness: shares of people of whom neither, only ethnicity, or only language is ever
# recorded; the rest have both. The worst sites are those of WORST_SITES; men aged 18 to 34 come on top.
NEVER_RECORDED = {
    "other sites": {"neither": 0.010, "ethnicity only": 0.026, "language only": 0.006},
    "worst sites": {"neither": 0.050, "ethnicity only": 0.190, "language only": 0.020},
    "men 18-34, added": {"neither": 0.030, "ethnicity only": 0.070, "language only": 0.000},
}
KNOWN_ON_A_RECORD = 0.86  # of those who have a value at all: share of their contacts that hold it
SELF_REPORTED = 0.90  # share of people with a known value who gave it themselves at least once
OTHER_SOURCES = {"CARER": 0.25, "STAFF": 0.60, "": 0.15}
INHERITED = 0.10  # share of known records after the first that only copy the first (source PAS)
# Share of people who are sometimes recorded as another group; higher for minority ethnic groups.
DISAGREEING = dict.fromkeys(LABELS, 0.09) | {"A": 0.02} | dict.fromkeys("CDEFGLPS", 0.2)
SHOWN_OTHERWISE = 0.45  # of their contacts, the share that shows the other group
OBSERVED = 0.35  # of those contacts, the share that staff filled in (never the first)
NEIGHBOUR = {
    "A": "B", "B": "A", "C": "A", "D": "E", "E": "D", "F": "L", "G": "D", "H": "J", "J": "K", "K": "J",
    "L": "H", "M": "N", "N": "M", "P": "N", "R": "L", "S": "L",
}  # fmt: skip
RESIDUAL = {
    "A": "C", "B": "C", "D": "G", "E": "G", "F": "G", "H": "L", "J": "L", "K": "L", "M": "P", "N": "P",
    "R": "S", "C": "S", "G": "S", "L": "S", "P": "S", "S": "C",
}  # fmt: skip
RESIDUAL_SHARE = 0.6  # the rest are recorded as a neighbouring specific group
CONFLICTS = 14  # people with two groups on the same day, both by themselves, and nothing else known
# Nuffield Trust reallocation (2021): of two known groups one of which is S, or the residual of the same
# parent, the specific one stands. Keys: the two letters in alphabetical order.
OVERRIDE = {f"{specific}S": specific for specific in LABELS if specific != "S"} | {
    pair: pair[0] for pair in ("AC", "BC", "DG", "EG", "FG", "HL", "JL", "KL", "MP", "NP")
}

ETHNICITY_STATUS = {  # of an unknown record: of people never known (their usual one), and of the others
    "never": {"declined": 0.34, "not_known": 0.27, "null": 0.07, "missing": 0.26, "invalid": 0.06},
    "other": {"declined": 0.12, "not_known": 0.36, "null": 0.09, "missing": 0.40, "invalid": 0.03},
}
LANGUAGE_STATUS = {
    "never": {"not_known": 0.35, "missing": 0.62, "invalid": 0.03},
    "other": {"not_known": 0.30, "missing": 0.68, "invalid": 0.02},
}
ETHNICITY_TEXT: dict[str, Shares] = {  # @ stands for the letter; a second character is local
    "known": {"@": 0.84, "lower": 0.05, "@ ": 0.03, " @": 0.01, "@1": 0.04, "@2": 0.02, "@A": 0.01},
    "declined": {"Z": 0.92, "z": 0.05, "Z ": 0.03},
    "not_known": {"99": 0.68, "99 ": 0.07, "Not recorded": 0.25},
    "null": {"NULL": 1.0},  # not_known in hospital data, missing in a database export: counted apart
    "missing": {"": 0.9, " ": 0.1},
    "invalid": {"BAME": 0.5, "Q": 0.3, "OTH": 0.2},
}
LANGUAGE_TEXT: dict[str, Shares] = {
    "known": {"code": 0.87, "upper": 0.05, "name": 0.08},
    "not_known": {"und": 0.4, "Unknown": 0.45, "Not recorded": 0.15},
    "missing": {"": 0.9, " ": 0.1},
    "invalid": {"xx": 0.6, "Asian": 0.4},
}

# Other characteristics: share of people known, their values, and what stands where it is not known.
KNOWN_SHARE = {
    "interpreter_needed": 0.82, "gender": 0.992, "religion": 0.76, "disability": 0.7,
    "sexual_orientation": 0.62, "marital_status": 0.71, "employment_status": 0.61, "accommodation": 0.44,
    "overseas_visitor": 0.68, "mental_illness": 0.72,
}  # fmt: skip
VALUES: dict[str, Shares] = {
    "disability": {
        "NN": 0.62,
        "05": 0.12,
        "08": 0.10,
        "09": 0.05,
        "02": 0.04,
        "04": 0.03,
        "01": 0.02,
        "XX": 0.02,
    },
    "sexual_orientation": {"1": 0.955, "2": 0.02, "3": 0.018, "4": 0.007},
    "marital_status": {"S": 0.30, "M": 0.52, "D": 0.08, "W": 0.07, "P": 0.03},
    "employment_status": {"01": 0.46, "02": 0.08, "03": 0.02, "04": 0.12, "05": 0.08, "06": 0.02, "08": 0.22},
    "accommodation": {
        "MA01": 0.30,
        "MA02": 0.06,
        "MA04": 0.22,
        "MA05": 0.10,
        "MA06": 0.28,
        "HM04": 0.01,
        "HM05": 0.03,
    },
    "overseas_visitor": {"8": 0.96, "2": 0.02, "4": 0.01, "1": 0.01},
    "mental_illness": {"Y": 0.16, "N": 0.84},
}
NOT_KNOWN: dict[str, Shares] = {
    "interpreter_needed": {"": 1.0},
    "gender": {"X": 0.6, "": 0.4},
    "religion": {"": 0.6, "N": 0.25, "M": 0.15},
    "disability": {"": 0.7, "ZZ": 0.3},
    "sexual_orientation": {"": 0.45, "9": 0.25, "Z": 0.22, "U": 0.08},
    "marital_status": {"": 0.5, "9": 0.35, "N": 0.15},
    "employment_status": {"": 0.7, "ZZ": 0.2, "UU": 0.1},
    "accommodation": {"": 1.0},
    "overseas_visitor": {"": 0.5, "9": 0.5},
    "mental_illness": {"": 1.0},
}
RELIGIONS: dict[str, Shares] = {
    "ABDEMNP": {"C": 0.66, "L": 0.27, "G": 0.05, "K": 0.02},
    "C": {"C": 0.74, "L": 0.19, "G": 0.06, "F": 0.01},
    "FGLRS": {"C": 0.24, "L": 0.20, "G": 0.34, "D": 0.14, "B": 0.06, "K": 0.02},
    "H": {"D": 0.50, "G": 0.24, "I": 0.13, "C": 0.09, "E": 0.01, "L": 0.03},
    "JK": {"G": 0.96, "L": 0.03, "C": 0.01},
}
INTERPRETER = {"en": 0.01, "other": 0.38}  # share who need one, of those asked
BLANK_RECORD = 0.12  # share of contacts that leave out what is known of the person from another

# --- What comes of it -------------------------------------------------------------------------------------

# Chance of each outcome by age, and what is added (risk difference) for the planted groups at every age.
OUTCOMES: dict[str, dict[str, Any]] = {
    "did_not_attend": {
        "counts": "contacts", "polarity": "adverse",
        "by_age": dict(zip(AGE_BANDS, (0.19, 0.14, 0.105, 0.08, 0.09), strict=True)),
        "added": {"ethnicity M": 0.09, "IMD deciles 1-2": 0.05},
    },
    "hba1c_controlled": {
        "counts": "people", "polarity": "favourable",
        "by_age": dict(zip(AGE_BANDS, (0.42, 0.50, 0.58, 0.66, 0.70), strict=True)),
        "added": {"ethnicity K": -0.09, "ethnicity J": -0.11},
    },
    "retinal_screening_done": {
        "counts": "people", "polarity": "favourable",
        "by_age": dict(zip(AGE_BANDS, (0.62, 0.70, 0.78, 0.84, 0.77), strict=True)),
        "added": {"ethnicity N": -0.07, "IMD deciles 1-2": -0.06},
    },
}  # fmt: skip
MEASURED = {"hba1c_controlled": 0.88, "retinal_screening_done": 0.93}  # share of people with a result
UNEVEN = 0.6  # some people miss appointments again and again: their chance is times 1 - 0.6 to 1 + 0.6
CANCELLED = {"2": 0.07, "4": 0.04}  # by the person, by the service
LATE = 0.04  # of those seen, came late (6); of those not seen, came too late (7)
WAIT_MEAN, WAIT_ADDED = 18, {"main language not English": 8}  # days, on average
WAIT_MOST = 120

# --- Dirt -------------------------------------------------------------------------------------------------

DIRT = {
    "duplicate": 240, "no_person": 85, "no_usable_date": 30, "out_of_period": 120, "out_of_period_only": 40,
    "test_patient": 30, "ragged": 3,
}  # fmt: skip
DATE_TEXT = {"dd/mm/yyyy": 0.955, "yyyy-mm-dd": 0.020, "dd-Mon-yyyy": 0.015, "Excel serial": 0.010}
BIRTH_DATE_TEXT = {"dd/mm/yyyy": 0.950, "yyyy-mm-dd": 0.020, "Excel serial": 0.030}
NO_BIRTH_DATE = 0.008
NO_PERSON = {"": 0.7, "  ": 0.3}
UNUSABLE_DATES = {"": 0.5, "31/02/2026": 0.25, "00/00/0000": 0.25}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TITLES = (
    "SYNTHETIC DATA - no real person is in this file - made by sample_data/make_sample.py",
    "Community diabetes service (synthetic) - contacts 01/04/2025 to 31/03/2026",
)
COLUMNS = (
    "patient_id", "contact_id", "contact_date", "site", "setting", "ethnic_category", "ethnicity_source",
    "ethnicity_recorded_date", "preferred_language", "language_source", "interpreter_needed", "gender",
    "birth_date", "lsoa", "religion", "disability", "sexual_orientation", "marital_status",
    "employment_status", "accommodation", "overseas_visitor", "mental_illness", "attendance",
    "hba1c_controlled", "retinal_screening_done", "wait_days", "test_patient",
)  # fmt: skip

# --- How the truths are to be read ------------------------------------------------------------------------

# Parents of the 2021 Census.
FIVE_GROUPS = {"White": "ABC", "Mixed": "DEFG", "Asian": "HJKLR", "Black": "MNP", "Other": "S"}
READING = {
    "ethnic_category": (
        "Trim and put in capitals. Known: at most two characters, the first a letter A-H, J-N, P, R or S "
        "(a second is local). Z first: declined. 99, Not recorded: not_known. NULL: null (some read it as "
        "not_known, some as missing). Nothing left: missing. Else invalid."
    ),
    "preferred_language": (
        "Trim and put in small letters. Known: one of language_codes or language_names. und, unknown, "
        "not recorded: not_known. Nothing left: missing. Else invalid."
    ),
    "language_codes": list(LANGUAGE_NAMES),
    "language_names": [name.lower() for name in LANGUAGE_NAMES.values()],
    "dates": "dd/mm/yyyy, yyyy-mm-dd, dd-Mon-yyyy, or an Excel serial (days since 30 December 1899).",
}
NEVER_RECORDED_MEANS = (
    "Chance that of a person neither, only ethnicity, or only language is on any record. Worst sites: own "
    "site is one of the two. Men 18-34 (on 1 April 2025): added to the chance of their site."
)
SITE_SEEN_MEANS = (
    "A person counts at each site with a row used there. records: rows used there. *_known: known on any "
    "row used, of whatever site. ethnicity_known_there: known on a row used of that site."
)
DISAGREEING_MEANS = (
    "By true group: share of people who may be shown as another group, on 45% of their known records."
)
REPEAT_MEANS = (
    "People with known rows that are no copies (source not PAS) on two or more days, in two or more settings."
)
RULES_MEAN = (
    "People by group. true: all. true_of_known: those with a known record. most_recent_known: known row of "
    "the latest contact_date. self_reported_first: the same among rows with source PATIENT, if the person "
    "has any. self_reported_first_then_override: where the person's known rows hold exactly two letters, "
    "one of them S or the residual of the same 2001 parent, the specific one. same_by_recorded_date: as "
    "before, by ethnicity_recorded_date. conflict: two letters on that latest day."
)
SEEN_MEANS = (
    "How often a resident of the group is seen, against 1 for everybody else; Census 2021 shares, half men "
    "and half women in each group."
)
OUTCOME_MEANS = (
    "by_age: chance by age on 1 April 2025. added: risk difference for members of the group at every age. "
    "Attendance besides varies between people: chance times a number even between 0.4 and 1.6. Results of "
    "people are spread evenly within ethnic group, age band and deprivation, so that luck plays little part."
)
WAIT_MEANS = "Mean days (before rounding down; at most 120), and days added for members of the group."
OTHERS_MEAN = (
    "People with a known value on any row used; declined, unsure, default codes and fillers are not known."
)
