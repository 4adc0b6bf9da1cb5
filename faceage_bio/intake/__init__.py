"""What comes in: checked tables, counts and genotypes, and the ledger."""
