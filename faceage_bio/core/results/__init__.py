"""The one form of a result: rows of declared columns, measures, reasons and tables."""
