"""A Transformer tuned for BLEU on English to German (the paper, section 4.2)."""
