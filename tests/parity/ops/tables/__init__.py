"""The parity tables: a function of rows for each subject, a module for each family."""
