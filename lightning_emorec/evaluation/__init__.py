"""Evaluation of a run: scores, intervals, result files, tables and reports."""
