"""The ids that have a meaning of their own: those of fairseq's dictionary, so that its model and ours see the same numbers."""

BOS, PAD, EOS, UNK = range(4)
SPECIAL = 4
