"""What an analysis returns."""

from journeykit.results.base import METRIC_COLUMNS, Result, find_row, left_out_table, metric_table

__all__ = ["METRIC_COLUMNS", "Result", "find_row", "left_out_table", "metric_table"]
