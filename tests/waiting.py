"""How long tests wait for what should end by itself: longer than any machine is slow, so that only what hangs is cut."""

LONG = 3600
