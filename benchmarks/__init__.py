"""Measurements, run by hand: the real pipeline over generated mailboxes. Figures are quoted as ratios within one run."""
