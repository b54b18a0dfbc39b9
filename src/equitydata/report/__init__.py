"""Result -> a folder that can be shared: page, rating, tables, manifest."""

from equitydata.report.folder import ReportPaths, log_run, report_files, write_report

__all__ = ["ReportPaths", "log_run", "report_files", "write_report"]
