"""The study's questions: tables in, result rows out."""
