"""Tables -> a ranked list of findings in plain words: prompts to look, not proof."""

from equitydata.findings.ranking import findings_table

__all__ = ["findings_table"]
