"""Workers without a coordinator, as in the paper: they share a folder, a log in it, and leases on the members."""
