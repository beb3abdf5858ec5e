"""From finished runs to tables, statistics and verdicts."""
