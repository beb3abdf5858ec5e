"""The mini-games' own rules, compiled: many games in one process, each a row of records that depends on no other."""
