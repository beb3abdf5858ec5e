"""Figures, from the records of finished runs alone: what every domain draws (``plotting``) and the paper's own (``paper``)."""
