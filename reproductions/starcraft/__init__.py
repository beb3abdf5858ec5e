"""A3C agents on the StarCraft II mini-games: pysc2's specification, the game through it, and a simulation of its rules."""
