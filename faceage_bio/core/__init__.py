"""What all packages share: settings, the result row, steps, tables, records, errors."""
