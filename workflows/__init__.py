"""Order and time, nothing else: deterministic workflows, one for each file, that know the steps only by their signatures."""
