"""How a service listens to people, what was heard, and who has not been listened to."""

from equitydata.listening.register import Register, read_register, service_register
from equitydata.listening.tables import (
    listening_gaps_table,
    listening_table,
    register_evidence,
    scan_register,
    themes_for,
    themes_table,
)

__all__ = [
    "Register",
    "listening_gaps_table",
    "listening_table",
    "read_register",
    "register_evidence",
    "scan_register",
    "service_register",
    "themes_for",
    "themes_table",
]
